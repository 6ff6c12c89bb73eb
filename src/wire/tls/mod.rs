//! TLS: whom we trust, and the handshake; [`record`] is what follows it.
//!
//! Versions 1.2 and 1.3 by the rustls library with the ciphers of ring; names, times and chains of certificates are
//! checked, and there is no way to switch that off. Trusted are the roots of Mozilla's programme, built in (the
//! webpki-roots crate: a new release of it is a new build of this), and certificates from files for an exchange of
//! one's own. Lists of revoked certificates are not asked for. No client certificates, no early data, no resumption: a
//! reconnect shakes hands anew.
//!
//! A handshake asks for memory and time, so it belongs to a thread that may be late. It ends by taking the keys out of
//! rustls, which is what the library offers to put the record layer into the kernel; ours goes to [`Records`].

pub mod record;

pub use record::{Ended, Records};
use rustls::client::{Resumption, UnbufferedClientConnection};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::unbuffered::{ConnectionState, EncodeError, EncodeTlsData, UnbufferedStatus};
use rustls::version::{TLS12, TLS13};
use rustls::{
    AlertDescription, CertificateError, ClientConfig, Error, RootCertStore, ServerConfig,
};
use rustls::{SupportedProtocolVersion, server};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What is spoken inside.
const PROTOCOL: &[u8] = b"http/1.1";
const VERSIONS: [&SupportedProtocolVersion; 2] = [&TLS13, &TLS12];

/// Why certificates or keys could not be read from files.
#[derive(Debug, thiserror::Error)]
#[error("{}: {why}", path.display())]
pub struct TrustFault {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub why: String,
}

/// Whom we believe to be who they say. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Trust {
    config: Arc<ClientConfig>,
}

impl Trust {
    /// The built-in roots and the certificates of `extra`, files in PEM form; none is fine.
    ///
    /// # Errors
    /// The first file that cannot be read, holds no certificate or one that is broken.
    pub fn new(extra: &[PathBuf]) -> Result<Self, TrustFault> {
        let mut roots = RootCertStore::empty();
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        for path in extra {
            for certificate in certificates(path)? {
                roots
                    .add(certificate)
                    .map_err(|fault| wrong(path, &fault))?;
            }
        }
        let config = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&VERSIONS)
            .map_err(|fault| wrong(Path::new("TLS"), &fault))?;
        let mut config = config.with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = vec![PROTOCOL.to_vec()];
        config.resumption = Resumption::disabled();
        // For `Records`.
        config.enable_secret_extraction = true;
        Ok(Self {
            config: Arc::new(config),
        })
    }

    /// As the library wants it.
    pub(super) const fn config(&self) -> &Arc<ClientConfig> {
        &self.config
    }
}

/// What a server with this certificate (its chain, leaf first) and key shows to clients.
///
/// # Errors
/// A file that cannot be read or does not hold what it should, or a key that does not fit the certificate.
pub fn server(cert_pem: &Path, key_pem: &Path) -> Result<Arc<ServerConfig>, TrustFault> {
    let chain = certificates(cert_pem)?;
    let key = PrivateKeyDer::from_pem_file(key_pem).map_err(|fault| wrong(key_pem, &fault))?;
    let config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&VERSIONS)
        .and_then(|config| config.with_no_client_auth().with_single_cert(chain, key));
    let mut config = config.map_err(|fault| wrong(key_pem, &fault))?;
    config.alpn_protocols = vec![PROTOCOL.to_vec()];
    config.session_storage = Arc::new(server::NoServerSessionStorage {});
    Ok(Arc::new(config))
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn wrong(path: &Path, why: &impl ToString) -> TrustFault {
    TrustFault {
        path: path.to_owned(),
        why: why.to_string(),
    }
}

/// Every certificate of a file; at least one.
fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TrustFault> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    let all = all.map_err(|fault| wrong(path, &fault))?;
    if all.is_empty() {
        return Err(wrong(path, &"no certificate inside"));
    }
    Ok(all)
}

/// Why a TLS handshake failed.
#[derive(Debug, thiserror::Error)]
pub enum TlsFault {
    /// The certificate is out of date, or this machine's clock is.
    #[error("the certificate has expired")]
    Expired,
    /// The certificate begins to hold later, or this machine's clock is behind.
    #[error("the certificate is not valid yet")]
    Early,
    /// The certificate is another host's.
    #[error("the certificate is for another name")]
    WrongName,
    /// Nobody we trust has signed the certificate.
    #[error("the certificate's issuer is not trusted")]
    UnknownIssuer,
    /// Anything else that is wrong with the certificate.
    #[error("the certificate is refused: {0}")]
    Certificate(String),
    /// What answers there speaks something else.
    #[error("the other side does not speak TLS")]
    NotTls,
    /// The other side refused.
    #[error("the other side refused: {0}")]
    Refused(String),
    /// The connection ended before the handshake did.
    #[error("the connection was closed during the handshake")]
    Closed,
    /// Time ran out.
    #[error("the handshake took too long")]
    Late,
    /// The connection failed.
    #[error("{0}")]
    Io(io::Error),
    /// Anything else, as the library says it.
    #[error("{0}")]
    Other(String),
}

impl From<io::Error> for TlsFault {
    fn from(fault: io::Error) -> Self {
        match fault.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Self::Late,
            io::ErrorKind::UnexpectedEof
            | io::ErrorKind::WriteZero
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe => Self::Closed,
            _ => Self::Io(fault),
        }
    }
}

impl From<Error> for TlsFault {
    fn from(fault: Error) -> Self {
        match fault {
            Error::InvalidCertificate(why) => match why {
                CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                    Self::Expired
                }
                CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                    Self::Early
                }
                CertificateError::NotValidForName
                | CertificateError::NotValidForNameContext { .. } => Self::WrongName,
                CertificateError::UnknownIssuer => Self::UnknownIssuer,
                other => Self::Certificate(other.to_string()),
            },
            Error::InvalidMessage(_) => Self::NotTls,
            Error::AlertReceived(AlertDescription::CloseNotify) => Self::Closed,
            Error::AlertReceived(alert) => Self::Refused(format!("{alert:?}")),
            other => Self::Other(other.to_string()),
        }
    }
}

/// Shakes hands over `link` with the server `name` (a DNS name or an address), blocking; `link` answers `TimedOut` or
/// `WouldBlock` when time has run out.
///
/// # Errors
/// See [`TlsFault`]. The other side is told, as far as it listens.
pub fn shake(
    link: &mut (impl Read + Write),
    name: &str,
    trust: &Trust,
) -> Result<Records, TlsFault> {
    let name = ServerName::try_from(name.to_owned()).map_err(|_| TlsFault::WrongName)?;
    let mut talk = Talk {
        session: UnbufferedClientConnection::new(Arc::clone(&trust.config), name)?,
        room: vec![0; record::ROOM],
        end: 0,
        early: Vec::new(),
        out: Vec::new(),
    };
    let done = talk.run(link);
    if let Err(fault) = done {
        talk.complain(link);
        return Err(fault);
    }
    let (secrets, kernel) = talk.session.dangerous_into_kernel_connection()?;
    Records::new(&secrets, kernel, &talk.early, &talk.room[..talk.end])
        .ok_or_else(|| TlsFault::Other("the agreed cipher is not known here".to_owned()))
}

/// A handshake under way.
struct Talk {
    session: UnbufferedClientConnection,
    /// Unread bytes lie at the front, `end` of them.
    room: Vec<u8>,
    end: usize,
    /// Text that came with the handshake.
    early: Vec<u8>,
    /// Bytes to send.
    out: Vec<u8>,
}

/// What the handshake wants next.
enum Next {
    Read,
    Send,
    Again,
    Done,
}

impl Talk {
    fn run(&mut self, link: &mut (impl Read + Write)) -> Result<(), TlsFault> {
        loop {
            match self.step()? {
                Next::Again => {}
                Next::Done => return Ok(()),
                Next::Send => {
                    link.write_all(&self.out)?;
                    self.out.clear();
                }
                Next::Read => {
                    let space = &mut self.room[self.end..];
                    if space.is_empty() {
                        return Err(TlsFault::Other("the handshake is too long".to_owned()));
                    }
                    match link.read(space)? {
                        0 => return Err(TlsFault::Closed),
                        bytes => self.end += bytes,
                    }
                }
            }
        }
    }

    fn step(&mut self) -> Result<Next, TlsFault> {
        // What comes behind the handshake is for `Records`, in order and from a record's beginning: rustls admits
        // nothing half read where keys change.
        let offered = if self.session.is_handshaking() {
            self.end
        } else {
            0
        };
        let UnbufferedStatus {
            mut discard, state, ..
        } = self.session.process_tls_records(&mut self.room[..offered]);
        let next = match state {
            Err(fault) => Err(fault.into()),
            Ok(ConnectionState::EncodeTlsData(mut part)) => {
                encode(&mut part, &mut self.out).map(|()| Next::Again)
            }
            Ok(ConnectionState::TransmitTlsData(part)) => {
                part.done();
                Ok(Next::Send)
            }
            Ok(ConnectionState::BlockedHandshake) => Ok(Next::Read),
            Ok(ConnectionState::ReadTraffic(mut traffic)) => {
                let mut next = Ok(Next::Again);
                while let Some(text) = traffic.next_record() {
                    match text {
                        Ok(text) => {
                            discard += text.discard;
                            self.early.extend_from_slice(text.payload);
                        }
                        Err(fault) => next = Err(fault.into()),
                    }
                }
                next
            }
            Ok(ConnectionState::WriteTraffic(_)) => Ok(Next::Done),
            Ok(ConnectionState::PeerClosed | ConnectionState::Closed) => Err(TlsFault::Closed),
            Ok(other) => Err(TlsFault::Other(format!("{other:?} in a handshake"))),
        };
        self.room.copy_within(discard..self.end, 0);
        self.end -= discard;
        next
    }

    /// Sends the alert that says what was wrong, if there is one.
    fn complain(&mut self, link: &mut impl Write) {
        self.out.clear();
        let status = self.session.process_tls_records(&mut self.room[..self.end]);
        if let Ok(ConnectionState::EncodeTlsData(mut part)) = status.state
            && encode(&mut part, &mut self.out).is_ok()
        {
            // The other side may be gone; the fault that is told is the first one.
            let _ = link.write_all(&self.out);
        }
    }
}

fn encode<D>(part: &mut EncodeTlsData<'_, D>, out: &mut Vec<u8>) -> Result<(), TlsFault> {
    let from = out.len();
    let mut size = 0;
    // The first try asks how much room it takes.
    for _ in 0..2 {
        out.resize(from + size, 0);
        match part.encode(&mut out[from..]) {
            Ok(_) => return Ok(()),
            Err(EncodeError::InsufficientSize(need)) => size = need.required_size,
            Err(fault) => return Err(TlsFault::Other(fault.to_string())),
        }
    }
    Err(TlsFault::Other(
        "a record that does not fit its own size".to_owned(),
    ))
}
