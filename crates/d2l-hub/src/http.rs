//! Downloads over http and https: retried when that may help, resumed when that is safe.

use std::{
    io::{self, Read},
    sync::Once,
    thread,
    time::{Duration, Instant},
};

use reqwest::{
    StatusCode,
    blocking::{Client, Response},
    header::{self, HeaderMap, HeaderName},
    redirect,
};

use super::{
    error::{Failure, SourceError},
    part::Part,
};

/// A connection must carry this much in each [`HttpSettings::stall_timeout`], or it counts as stalled.
const MIN_BYTES: u64 = 16 << 10;
const MAX_REDIRECTS: usize = 5;

/// How patient downloads are.
#[derive(Debug, Clone)]
pub struct HttpSettings {
    /// Further attempts after a failure that may pass; default 4.
    pub retries: u32,
    /// The pause before the first of them, doubled for each further one; default half a second.
    pub backoff: Duration,
    /// The longest pause, also where a server asks for more; default 30 s.
    pub max_backoff: Duration,
    /// Default 10 s.
    pub connect_timeout: Duration,
    /// How long a server may take to answer, connecting included, or to send next to nothing; default 30 s.
    pub stall_timeout: Duration,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            retries: 4,
            backoff: Duration::from_millis(500),
            max_backoff: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(10),
            stall_timeout: Duration::from_secs(30),
        }
    }
}

impl HttpSettings {
    /// How often to try again after this failure.
    fn retries_after(&self, reason: &SourceError) -> u32 {
        match reason {
            // No such host, or nobody listens there: on a machine that reaches few hosts that is the rule, and will be
            // so in ten seconds; the next source may know better.
            SourceError::Connection(_) => self.retries.min(2),
            SourceError::Stalled(_)
            | SourceError::Broken { .. }
            | SourceError::WrongRange
            | SourceError::Status { status: 408 | 429 | 500..=599, .. } => self.retries,
            _ => 0,
        }
    }
}

/// What a download reports while it runs.
pub(crate) enum Report<'a> {
    Received { total: Option<u64> },
    Retrying { reason: &'a SourceError, pause: Duration },
}

/// Downloads `url` into `part`; `report` hears of each block that arrives, with the bytes so far.
pub(crate) fn download(
    url: &str,
    part: &mut Part,
    settings: &HttpSettings,
    report: &dyn Fn(u64, Report<'_>),
) -> Result<(), Failure> {
    let mut download = Download { url, settings, connection: Connection::new(settings)?, etag: None };
    let mut attempt = 0;
    loop {
        match download.attempt(part, report) {
            Err(Failure::Source(reason)) if attempt < settings.retries_after(&reason) => {
                let pause = pause(settings, attempt, &reason);
                report(part.len(), Report::Retrying { reason: &reason, pause });
                thread::sleep(pause);
                attempt += 1;
            }
            result => return result,
        }
    }
}

/// Doubles from one attempt to the next, or follows the server's wish, up to the longest pause.
fn pause(settings: &HttpSettings, attempt: u32, reason: &SourceError) -> Duration {
    let wish = match reason {
        SourceError::Status { retry_after, .. } => retry_after.unwrap_or_default(),
        _ => Duration::ZERO,
    };
    settings.backoff.saturating_mul(2_u32.saturating_pow(attempt)).max(wish).min(settings.max_backoff)
}

/// A client, and whether it can check certificates.
struct Connection {
    client: Client,
    has_certificates: bool,
}

impl Connection {
    fn new(settings: &HttpSettings) -> Result<Self, SourceError> {
        static TLS: Once = Once::new();
        // An error says that the program has installed a provider of its own, which serves as well.
        TLS.call_once(|| drop(rustls::crypto::ring::default_provider().install_default()));
        let builder = || {
            Client::builder()
                .user_agent(concat!("d2l-rs/", env!("CARGO_PKG_VERSION")))
                .connect_timeout(settings.connect_timeout)
                // Of reqwest's blocking client this bounds the wait for the headers and for each read, not the whole.
                .timeout(settings.stall_timeout)
                .redirect(redirect::Policy::limited(MAX_REDIRECTS))
        };
        if let Ok(client) = builder().build() {
            return Ok(Self { client, has_certificates: true });
        }
        // The usual reason is a machine without CA certificates. Plain http needs none: trust no certificate at all.
        let client =
            builder().tls_certs_only([]).build().map_err(|error| SourceError::Connection(root_cause(&error)))?;
        Ok(Self { client, has_certificates: false })
    }
}

/// One address over several attempts.
struct Download<'a> {
    url: &'a str,
    settings: &'a HttpSettings,
    connection: Connection,
    /// The strong `ETag` of the bytes that are in the part file.
    etag: Option<String>,
}

impl Download<'_> {
    fn attempt(&mut self, part: &mut Part, report: &dyn Fn(u64, Report<'_>)) -> Result<(), Failure> {
        let mut request = self.connection.client.get(self.url).header(header::ACCEPT_ENCODING, "identity");
        let resume = match &self.etag {
            Some(etag) if part.len() > 0 => {
                request =
                    request.header(header::RANGE, format!("bytes={}-", part.len())).header(header::IF_RANGE, etag);
                true
            }
            _ => false,
        };
        let response = request.send().map_err(|error| self.explain(&error))?;
        let total = match response.status() {
            StatusCode::PARTIAL_CONTENT if resume => match self.total_of_rest(&response, part.len()) {
                Some(total) => Some(total),
                None => return self.start_over(part),
            },
            StatusCode::RANGE_NOT_SATISFIABLE if resume => return self.start_over(part),
            StatusCode::OK => {
                part.restart()?;
                self.etag = strong_etag(response.headers());
                response.content_length()
            }
            status => {
                let retry_after = text(response.headers(), &header::RETRY_AFTER)
                    .and_then(|seconds| seconds.parse().ok())
                    .map(Duration::from_secs);
                return Err(SourceError::Status { status: status.as_u16(), retry_after }.into());
            }
        };
        if text(response.headers(), &header::CONTENT_TYPE).is_some_and(|kind| kind.starts_with("text/html")) {
            return Err(SourceError::WebPage.into());
        }
        part.check_size(total.unwrap_or(0))?;
        self.receive(response, part, total, report)
    }

    fn receive(
        &self,
        mut response: Response,
        part: &mut Part,
        total: Option<u64>,
        report: &dyn Fn(u64, Report<'_>),
    ) -> Result<(), Failure> {
        let mut buffer = vec![0; 64 << 10];
        let mut window = (Instant::now(), part.len());
        loop {
            let count = match response.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if is_timeout(&error) => {
                    return Err(SourceError::Stalled(self.settings.stall_timeout).into());
                }
                Err(error) => {
                    return Err(SourceError::Broken { received: part.len(), reason: root_cause(&error) }.into());
                }
            };
            part.write(&buffer[..count])?;
            report(part.len(), Report::Received { total });
            if window.0.elapsed() > self.settings.stall_timeout {
                if part.len() - window.1 < MIN_BYTES {
                    return Err(SourceError::Stalled(self.settings.stall_timeout).into());
                }
                window = (Instant::now(), part.len());
            }
        }
    }

    /// Gives up what was received so far: the server has another file now, or cannot be trusted with ranges.
    fn start_over(&mut self, part: &mut Part) -> Result<(), Failure> {
        self.etag = None;
        part.restart()?;
        Err(SourceError::WrongRange.into())
    }

    /// The size of the whole file, if a 206 answer is for exactly the rest of the same file.
    fn total_of_rest(&self, response: &Response, received: u64) -> Option<u64> {
        if strong_etag(response.headers()).is_some_and(|etag| Some(etag) != self.etag) {
            return None;
        }
        let range = text(response.headers(), &header::CONTENT_RANGE)?.strip_prefix("bytes ")?;
        let (range, total) = range.split_once('/')?;
        let (first, last) = range.split_once('-')?;
        let (first, last, total): (u64, u64, u64) = (first.parse().ok()?, last.parse().ok()?, total.parse().ok()?);
        (first == received && last.checked_add(1)? == total).then_some(total)
    }

    /// Why no answer came.
    fn explain(&self, error: &reqwest::Error) -> SourceError {
        let to_https = error.url().is_some_and(|url| url.scheme() == "https");
        if error.is_redirect() {
            SourceError::Redirects
        } else if error.is_timeout() && error.is_connect() {
            SourceError::Unreachable(self.settings.connect_timeout)
        } else if error.is_timeout() {
            SourceError::Stalled(self.settings.stall_timeout)
        } else if to_https && !self.connection.has_certificates {
            SourceError::NoCertificates
        } else {
            SourceError::Connection(root_cause(error))
        }
    }
}

/// A tag that stands for the very bytes; a weak one (`W/"..."`) does not.
fn strong_etag(headers: &HeaderMap) -> Option<String> {
    text(headers, &header::ETAG).filter(|tag| tag.starts_with('"')).map(str::to_owned)
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn is_timeout(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::TimedOut
        || error
            .get_ref()
            .and_then(|inner| inner.downcast_ref::<reqwest::Error>())
            .is_some_and(reqwest::Error::is_timeout)
}

/// The innermost cause, which says what happened; the layers around it name the address once more.
fn root_cause(error: &(dyn std::error::Error + 'static)) -> String {
    std::iter::successors(Some(error), |error| error.source()).last().unwrap_or(error).to_string()
}
