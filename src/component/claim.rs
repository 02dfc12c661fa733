//! What components claim: a port, a file, the standard input. What two have for themselves at once, or one writes and another
//! reads, is a fault of the configuration.

use std::net::SocketAddr;
use std::path::Path;

use glob::{MatchOptions, Pattern};

/// In paths a `*` does not cross a `/`, as sources have it.
const OPTIONS: MatchOptions =
    MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: false };

/// Something that a component takes for itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The setting that says so, as `http.address`; of one that is not written, the closest table counts.
    pub setting: String,
    /// What it is.
    pub of: Claimed,
}

/// What is claimed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claimed {
    /// An address to listen on.
    Port(Transport, SocketAddr),
    /// The standard input of the process.
    Input,
    /// Files to append to.
    Writes {
        /// The path as it is written: absolute, perhaps a template.
        path: String,
        /// A path that it can give.
        example: String,
    },
    /// Files to read.
    Reads {
        /// Globs of those that are meant.
        include: Vec<String>,
        /// Globs of those that are not, though they are meant by `include`.
        exclude: Vec<String>,
    },
}

/// What is listened for: ports of the one are not ports of the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Connections.
    Tcp,
    /// Datagrams.
    Udp,
}

/// How two claims stand in each other's way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clash {
    /// Only one can listen on the port.
    Port,
    /// What is read by the one is missing at the other.
    Input,
    /// What is written to one file is torn by the other.
    File,
    /// What is written is read again, without end.
    Loop,
}

impl Claim {
    /// The claim of `setting`.
    pub fn new(setting: impl Into<String>, of: Claimed) -> Self {
        Self { setting: setting.into(), of }
    }
}

impl Claimed {
    /// Whether and how the two cannot both be had.
    pub fn clashes(&self, other: &Self) -> Option<Clash> {
        match (self, other) {
            (Self::Port(one, at), Self::Port(two, also)) => {
                (one == two && is_shared(*at, *also)).then_some(Clash::Port)
            }
            (Self::Input, Self::Input) => Some(Clash::Input),
            (Self::Writes { path: one, .. }, Self::Writes { path: two, .. }) => {
                (absolute(one) == absolute(two)).then_some(Clash::File)
            }
            (Self::Writes { example, .. }, Self::Reads { include, exclude })
            | (Self::Reads { include, exclude }, Self::Writes { example, .. }) => {
                (fits(include, example) && !fits(exclude, example)).then_some(Clash::Loop)
            }
            _ => None,
        }
    }
}

/// Would the second be refused by the kernel? One that listens on all addresses has those of each; `::` has those of IPv4
/// too (`net.ipv6.bindv6only`, off by default). Port 0 is another one each time.
fn is_shared(one: SocketAddr, two: SocketAddr) -> bool {
    let (first, second) = (one.ip().to_canonical(), two.ip().to_canonical());
    let covers =
        |all: std::net::IpAddr, one: std::net::IpAddr| all.is_unspecified() && (all.is_ipv6() || one.is_ipv4());
    one.port() == two.port() && one.port() != 0 && (first == second || covers(first, second) || covers(second, first))
}

fn fits(patterns: &[String], path: &str) -> bool {
    let path = absolute(path);
    let globs = patterns.iter().filter_map(|pattern| Pattern::new(&absolute(pattern)).ok());
    globs.into_iter().any(|glob| glob.matches_with(&path, OPTIONS))
}

fn absolute(path: &str) -> String {
    std::path::absolute(Path::new(path)).map_or_else(|_| path.to_owned(), |path| path.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port(transport: Transport, address: &str) -> Claimed {
        Claimed::Port(transport, address.parse().unwrap())
    }

    fn clash(one: &Claimed, two: &Claimed) -> Option<Clash> {
        assert_eq!(one.clashes(two), two.clashes(one), "{one:?} {two:?}");
        one.clashes(two)
    }

    #[test]
    fn a_port_is_one_components() {
        use Transport::{Tcp, Udp};
        for (one, two, wanted) in [
            ("127.0.0.1:80", "127.0.0.1:80", true),
            ("0.0.0.0:80", "127.0.0.1:80", true),
            ("[::]:80", "127.0.0.1:80", true),
            ("[::]:80", "[::1]:80", true),
            ("[::ffff:127.0.0.1]:80", "127.0.0.1:80", true),
            ("0.0.0.0:80", "[::1]:80", false),
            ("127.0.0.1:80", "127.0.0.2:80", false),
            ("127.0.0.1:80", "127.0.0.1:81", false),
            ("127.0.0.1:0", "127.0.0.1:0", false),
        ] {
            assert_eq!(clash(&port(Tcp, one), &port(Tcp, two)).is_some(), wanted, "{one} {two}");
            assert_eq!(clash(&port(Udp, one), &port(Udp, two)).is_some(), wanted, "{one} {two}");
            assert_eq!(clash(&port(Udp, one), &port(Tcp, two)), None, "{one} {two}");
        }
    }

    #[test]
    fn a_file_is_written_by_one_and_not_read_again() {
        let writes = |path: &str, example: &str| Claimed::Writes { path: path.to_owned(), example: example.to_owned() };
        let reads = |include: &str, exclude: &[&str]| Claimed::Reads {
            include: vec![include.to_owned()],
            exclude: exclude.iter().map(|&pattern| pattern.to_owned()).collect(),
        };
        let plain = writes("/x/a.log", "/x/a.log");
        assert_eq!(clash(&plain, &writes("/x/./a.log", "/x/a.log")), Some(Clash::File));
        assert_eq!(clash(&plain, &writes("/x/b.log", "/x/b.log")), None);
        let template = writes("/x/{{ s }}.log", "/x/service.log");
        assert_eq!(clash(&template, &template), Some(Clash::File));
        for written in [&plain, &template] {
            assert_eq!(clash(written, &reads("/x/*.log", &[])), Some(Clash::Loop));
            assert_eq!(clash(written, &reads("/**/*.log", &[])), Some(Clash::Loop));
            assert_eq!(clash(written, &reads("/x/*.log", &["/x/[as]*.log"])), None);
            assert_eq!(clash(written, &reads("/*.log", &[])), None);
        }
        assert_eq!(clash(&plain, &reads("/x/b.log", &[])), None);
    }

    #[test]
    fn there_is_one_standard_input() {
        assert_eq!(clash(&Claimed::Input, &Claimed::Input), Some(Clash::Input));
        assert_eq!(clash(&Claimed::Input, &port(Transport::Tcp, "127.0.0.1:1")), None);
    }
}
