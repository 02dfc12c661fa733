//! Paths into a record, in Vector's syntax: `.a.b[0]."quoted key"`, `%` for metadata.

use vrl::path::{OwnedSegment, OwnedTargetPath, PathPrefix, parse_target_path};

use super::json::Segment;

/// A parsed path. The first segment is a top-level key; the root `.` has none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    metadata: bool,
    segments: Vec<Step>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Field(Box<str>),
    Index(isize),
}

/// A path that cannot be read, or begins with an index: a record is an object.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no path: expected `.name`, `.name.inner`, `.list[0]` or `%name`")]
pub struct BadPath(String);

impl Path {
    /// Reads Vector's path syntax; a missing leading dot is forgiven, as there.
    pub fn parse(text: &str) -> Result<Self, BadPath> {
        let parsed = parse_target_path(text).map_err(|_| BadPath(text.to_owned()))?;
        Self::try_from(parsed).map_err(|()| BadPath(text.to_owned()))
    }

    /// The path of one top-level key.
    pub fn key(key: &str) -> Self {
        Self { metadata: false, segments: vec![Step::Field(key.into())] }
    }

    /// Does it lead into metadata?
    pub fn is_metadata(&self) -> bool {
        self.metadata
    }

    /// The top-level key; `None` for the root.
    pub fn first_key(&self) -> Option<&[u8]> {
        match self.segments.first() {
            Some(Step::Field(key)) => Some(key.as_bytes()),
            _ => None,
        }
    }

    /// Number of segments.
    pub fn depth(&self) -> usize {
        self.segments.len()
    }

    pub(crate) fn segments(&self) -> Vec<Segment<'_>> {
        self.segments.iter().map(Step::segment).collect()
    }

    pub(crate) fn segments_below_first(&self) -> Vec<Segment<'_>> {
        self.segments.iter().skip(1).map(Step::segment).collect()
    }
}

impl Step {
    fn segment(&self) -> Segment<'_> {
        match self {
            Self::Field(key) => Segment::Field(key.as_bytes()),
            Self::Index(index) => Segment::Index(*index),
        }
    }
}

impl TryFrom<OwnedTargetPath> for Path {
    type Error = ();

    fn try_from(path: OwnedTargetPath) -> Result<Self, ()> {
        let step = |segment| match segment {
            OwnedSegment::Field(key) => Step::Field(key.as_str().into()),
            OwnedSegment::Index(index) => Step::Index(index),
        };
        let segments: Vec<Step> = path.path.segments.into_iter().map(step).collect();
        if matches!(segments.first(), Some(Step::Index(_))) {
            return Err(());
        }
        Ok(Self { metadata: path.prefix == PathPrefix::Metadata, segments })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_vectors_syntax() {
        let path = Path::parse(r#".a."b.c"[-1]"#).unwrap();
        assert_eq!(path.first_key(), Some(&b"a"[..]));
        assert_eq!(path.segments, [Step::Field("a".into()), Step::Field("b.c".into()), Step::Index(-1)]);
        assert_eq!(Path::parse("message"), Path::parse(".message"));
        assert!(Path::parse("%kafka.key").unwrap().is_metadata());
        assert_eq!(Path::parse(".").unwrap().depth(), 0);
    }

    #[test]
    fn refuses_what_is_none() {
        for bad in [".a..b", "[0]", ".a[", "a b"] {
            assert!(Path::parse(bad).is_err(), "{bad}");
        }
    }
}
