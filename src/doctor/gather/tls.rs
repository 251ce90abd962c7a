//! TLS by rustls, with the system's own roots: what is wrong with a certificate is noted, and the handshake goes on, so that
//! everything else can be seen too.

use std::io::{self, ErrorKind, Read, Write};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, ClientConnection, DigitallySignedStruct, Error, RootCertStore,
    SignatureScheme,
};
use socket2::Socket;

use super::Budget;
use super::web::Channel;
use crate::doctor::evidence::{Tls, TlsOutcome};
use crate::sys;

/// A connection through TLS.
pub(super) struct Secure<'a> {
    socket: &'a Socket,
    tls: ClientConnection,
}

fn provider() -> Arc<CryptoProvider> {
    #[cfg(not(target_os = "macos"))]
    return Arc::new(rustls::crypto::ring::default_provider());
    #[cfg(target_os = "macos")]
    return Arc::new(rustls_graviola::default_provider());
}

/// The roots this system trusts, read once: there are more than a hundred.
fn roots() -> &'static Arc<RootCertStore> {
    static ROOTS: OnceLock<Arc<RootCertStore>> = OnceLock::new();
    ROOTS.get_or_init(|| {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        Arc::new(roots)
    })
}

/// Notes what the usual verifier thinks of a certificate, and accepts it.
#[derive(Debug)]
struct Noting {
    usual: Option<Arc<WebPkiServerVerifier>>,
    provider: Arc<CryptoProvider>,
    verdict: Arc<Mutex<Option<Error>>>,
}

impl ServerCertVerifier for Noting {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if let Some(usual) = &self.usual
            && let Err(error) =
                usual.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
            && let Ok(mut verdict) = self.verdict.lock()
        {
            *verdict = Some(error);
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// Shakes hands on a connection that stands; gives the secured connection even if its certificate is bad.
pub(super) fn handshake<'a>(
    socket: &'a Socket,
    host: &str,
    wait: Duration,
    budget: &Budget,
) -> (Tls, Option<Secure<'a>>) {
    let start = Instant::now();
    let told = |outcome, detail: String, has_bytes| Tls {
        outcome,
        detail,
        elapsed_us: u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX),
        unacked: sys::tcp_info(socket).and_then(|info| info.unacked),
        has_bytes,
    };
    let verdict = Arc::new(Mutex::new(None));
    let mut tls = match client(host, &verdict) {
        Ok(tls) => tls,
        Err(error) => return (told(TlsOutcome::Alert, error, false), None),
    };
    let mut has_bytes = false;
    while tls.is_handshaking() {
        let mut pipe = Pipe { socket, has_bytes: &mut has_bytes };
        let moved = step(&mut tls, &mut pipe);
        match moved {
            Ok(true) => continue,
            Ok(false) => {}
            Err(Broken::Tls(error)) => {
                let outcome = match &error {
                    Error::InvalidMessage(_) | Error::InappropriateMessage { .. } => TlsOutcome::NotTls,
                    Error::InvalidCertificate(_) => TlsOutcome::BadCertificate,
                    _ => TlsOutcome::Alert,
                };
                return (told(outcome, error.to_string(), has_bytes), None);
            }
            Err(Broken::Io(error)) => {
                let outcome = match error.kind() {
                    ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe => {
                        TlsOutcome::Reset
                    }
                    _ => TlsOutcome::Closed,
                };
                return (told(outcome, error.to_string(), has_bytes), None);
            }
        }
        let left = wait.saturating_sub(start.elapsed());
        if left.is_zero() || budget.is_over() {
            let detail = format!("no handshake within {:.1} s", start.elapsed().as_secs_f64());
            return (told(TlsOutcome::Silent, detail, has_bytes), None);
        }
        if sys::wait_for_sockets(&[socket], tls.wants_write(), left.min(Duration::from_millis(40))).is_err() {
            break;
        }
    }
    let noted = verdict.lock().ok().and_then(|mut verdict| verdict.take());
    let (outcome, detail) = match noted {
        None => (TlsOutcome::Good, version(&tls)),
        Some(error) => certificate(&error),
    };
    (told(outcome, detail, has_bytes), Some(Secure { socket, tls }))
}

fn version(tls: &ClientConnection) -> String {
    let version = tls.protocol_version().map_or(String::new(), |version| format!("{version:?}"));
    let suffix = if roots().is_empty() { ", certificate not checked: this system has no roots" } else { "" };
    format!("{}{suffix}", version.replace('_', "."))
}

/// What is wrong with a certificate, in words.
fn certificate(error: &Error) -> (TlsOutcome, String) {
    let date = |time: &UnixTime| {
        let at = std::time::UNIX_EPOCH + Duration::from_secs(time.as_secs());
        humantime::format_rfc3339_seconds(at).to_string()
    };
    match error {
        Error::InvalidCertificate(CertificateError::ExpiredContext { not_after, .. }) => {
            (TlsOutcome::Expired, format!("the certificate expired at {}", date(not_after)))
        }
        Error::InvalidCertificate(CertificateError::Expired) => {
            (TlsOutcome::Expired, "the certificate has expired".to_owned())
        }
        Error::InvalidCertificate(CertificateError::NotValidYetContext { not_before, .. }) => {
            (TlsOutcome::NotYetValid, format!("the certificate is not valid before {}", date(not_before)))
        }
        Error::InvalidCertificate(CertificateError::NotValidYet) => {
            (TlsOutcome::NotYetValid, "the certificate is not yet valid".to_owned())
        }
        Error::InvalidCertificate(CertificateError::NotValidForNameContext { presented, .. }) => (
            TlsOutcome::WrongName,
            format!(
                "the certificate is for {}",
                presented.iter().map(|name| plain(name)).collect::<Vec<_>>().join(", ")
            ),
        ),
        Error::InvalidCertificate(CertificateError::NotValidForName) => {
            (TlsOutcome::WrongName, "the certificate is for another name".to_owned())
        }
        Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
            (TlsOutcome::Untrusted, "no root that this system trusts has signed the certificate".to_owned())
        }
        other => (TlsOutcome::BadCertificate, other.to_string()),
    }
}

/// A name out of the way rustls writes it, `DnsName("example.org")`.
fn plain(name: &str) -> &str {
    name.split('"').nth(1).unwrap_or(name)
}

fn client(host: &str, verdict: &Arc<Mutex<Option<Error>>>) -> Result<ClientConnection, String> {
    let provider = provider();
    let usual = (!roots().is_empty())
        .then(|| WebPkiServerVerifier::builder_with_provider(roots().clone(), provider.clone()).build().ok())
        .flatten();
    let verifier = Noting { usual, provider: provider.clone(), verdict: verdict.clone() };
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    let name = ServerName::try_from(host.to_owned()).map_err(|error| error.to_string())?;
    ClientConnection::new(Arc::new(config), name).map_err(|error| error.to_string())
}

enum Broken {
    Tls(Error),
    Io(io::Error),
}

/// A socket as rustls reads and writes it.
struct Pipe<'a> {
    socket: &'a Socket,
    has_bytes: &'a mut bool,
}

impl Read for Pipe<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut socket = self.socket;
        let length = Read::read(&mut socket, buffer)?;
        *self.has_bytes |= length > 0;
        Ok(length)
    }
}

impl Write for Pipe<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut socket = self.socket;
        Write::write(&mut socket, bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Moves what can be moved now; whether anything was.
fn step(tls: &mut ClientConnection, pipe: &mut Pipe<'_>) -> Result<bool, Broken> {
    let mut has_moved = false;
    while tls.wants_write() {
        match tls.write_tls(pipe) {
            Ok(_) => has_moved = true,
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) => return Err(Broken::Io(error)),
        }
    }
    if tls.wants_read() {
        match tls.read_tls(pipe) {
            Ok(0) => return Err(Broken::Io(ErrorKind::UnexpectedEof.into())),
            Ok(_) => {
                has_moved = true;
                if let Err(error) = tls.process_new_packets() {
                    // The other end is told why, as well as can be.
                    let _ = tls.write_tls(pipe);
                    return Err(Broken::Tls(error));
                }
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(Broken::Io(error)),
        }
    }
    Ok(has_moved)
}

impl Channel for Secure<'_> {
    fn socket(&self) -> &Socket {
        self.socket
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut has_bytes = false;
        let moved = step(&mut self.tls, &mut Pipe { socket: self.socket, has_bytes: &mut has_bytes });
        match self.tls.reader().read(buffer) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => match moved {
                Err(Broken::Io(error)) => Err(error),
                Err(Broken::Tls(error)) => Err(io::Error::new(ErrorKind::InvalidData, error)),
                Ok(_) => Err(error),
            },
            // Many close without saying so (RFC 8446, 6.1).
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(0),
            other => other,
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.tls.writer().write(bytes)?;
        let mut has_bytes = false;
        let _ = step(&mut self.tls, &mut Pipe { socket: self.socket, has_bytes: &mut has_bytes });
        Ok(written)
    }
}
