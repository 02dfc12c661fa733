//! The table of fault codes. A code, once released, keeps its meaning; a retired number is not used again.

use std::fmt;

/// How bad a fault is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The configuration cannot be used.
    Error,
    /// The configuration can be used, but probably does not do what was meant.
    Warning,
}

macro_rules! codes {
    ($($name:ident $text:literal $severity:ident $meaning:literal)*) => {
        /// What kind of fault a diagnostic reports. `E` codes are errors, `W` codes are warnings.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Code { $(#[doc = $meaning] $name),* }

        impl Code {
            /// Every code, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The code as printed, such as `E004`.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text),* }
            }

            /// One line that says what the code stands for.
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$name => $meaning),* }
            }

            /// Must the text at fault not be drawn? Faults are written into logs, too.
            pub const fn hides_text(self) -> bool {
                matches!(self, Self::PlainSecret)
            }

            /// How bad this kind of fault is.
            pub const fn severity(self) -> Severity {
                match self { $(Self::$name => Severity::$severity),* }
            }
        }
    };
}

codes! {
    UnreadableFile   "E001" Error "a configuration file or folder cannot be read"
    NoFile           "E002" Error "a path or pattern names no configuration file"
    Syntax           "E003" Error "the file is not valid TOML"
    IdTwice          "E004" Error "two components have the same name"
    GlobalTwice      "E005" Error "a global setting is given twice"
    MissingVariable  "E006" Error "an environment variable without a default is not set"
    BadInterpolation "E007" Error "an interpolation is not written in a known form"
    UnknownSetting   "E008" Error "a setting that does not exist"
    WrongType        "E009" Error "a setting has a value of another type"
    MissingSetting   "E010" Error "a required setting is not given"
    OutOfRange       "E011" Error "a number or a list is too small or too large"
    NotAllowed       "E012" Error "a value is not one of the allowed ones"
    Empty            "E013" Error "a value is empty where it must not be"
    BadFormat        "E014" Error "a text does not have the form of a size, a duration, ..."
    UnknownType      "E015" Error "no component type has this name"
    Refused          "E016" Error "the settings of a component contradict each other"
    BadId            "E017" Error "a component name has reserved characters"
    UnknownInput     "E018" Error "an input names no component and no output"
    NoInputs         "E019" Error "a transform or a sink has no inputs"
    UnexpectedInputs "E020" Error "a source has inputs"
    Cycle            "E021" Error "components feed each other in a circle"
    BuffersTooLarge  "E022" Error "all buffers together exceed the memory limit"
    InputTwice       "E023" Error "an output is listed twice as input of one component"
    BadValue         "E024" Error "a component cannot work with a value"
    BadProgram       "E025" Error "a program or a condition does not compile"
    NothingToDo      "E026" Error "there is no source or no sink"
    BadDataDir       "E027" Error "the folder for the state cannot be used"
    BadAddress       "E028" Error "an address cannot be listened on"
    NotBuilt         "E029" Error "a component cannot be built"
    UnknownSecret    "E030" Error "a secret names no backend"
    NoSecret         "E031" Error "a secret cannot be had from its backend"
    SecretSeen       "E032" Error "a secret stands where its value would be seen"
    NotTheTeams      "E033" Error "a team's file holds what is the platform's alone"
    ClaimedTwice     "E034" Error "two components claim the same port, file or input"
    MovedSetting     "E040" Error "a setting of Vector that is written otherwise here"
    UnusedOutput     "W001" Warning "nobody takes what a component sends out"
    DoubtfulValue    "W002" Warning "a setting probably does not do what was meant"
    OpenDoor         "W003" Warning "an address is open to the network without authentication"
    PlainSecret      "W004" Warning "a secret stands in the configuration as plain text"
    Unscrubbed       "W005" Warning "records reach a sink without a scrub"
    IdleSetting      "W006" Warning "a setting has no effect"
    NeedlessSetting  "W010" Warning "a setting of Vector that is not needed here"
}

impl fmt::Display for Code {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::{Code, Severity};
    use std::collections::HashSet;

    #[test]
    fn codes_are_unique_and_their_letter_is_their_severity() {
        let texts: HashSet<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(texts.len(), Code::ALL.len());
        for code in Code::ALL {
            let letter = if code.severity() == Severity::Error { 'E' } else { 'W' };
            assert!(code.as_str().starts_with(letter), "{code}");
        }
    }
}
