//! A web server on the loopback interface that answers each connection as a test has scripted it.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

/// What the server does with one connection.
#[derive(Clone)]
pub struct Answer {
    status: &'static str,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    /// What to do with the body.
    manner: Manner,
}

#[derive(Clone, Copy, PartialEq)]
enum Manner {
    Whole,
    /// Only so many bytes of it, then the connection is closed.
    CutAfter(usize),
    /// Only so many bytes of it, then nothing for as long as the client stays.
    StallAfter(usize),
    /// A byte at a time with pauses.
    Trickle,
    /// Only what the request's `Range` asks for, as a 206.
    Rest,
    /// All of it, after a pause.
    Late(Duration),
}

impl Answer {
    pub fn status(status: &'static str) -> Self {
        Self { status, headers: Vec::new(), body: b"an error page".to_vec(), manner: Manner::Whole }
    }

    pub fn ok(body: &[u8]) -> Self {
        Self { body: body.to_vec(), ..Self::status("200 OK") }
    }

    /// The part of `body` that is asked for.
    pub fn rest(body: &[u8]) -> Self {
        Self { manner: Manner::Rest, ..Self { body: body.to_vec(), ..Self::status("206 Partial Content") } }
    }

    pub fn redirect(to: &str) -> Self {
        Self::status("302 Found").header("Location", to)
    }

    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    pub fn cut_after(self, bytes: usize) -> Self {
        Self { manner: Manner::CutAfter(bytes), ..self }
    }

    pub fn stall_after(self, bytes: usize) -> Self {
        Self { manner: Manner::StallAfter(bytes), ..self }
    }

    pub fn trickle(self) -> Self {
        Self { manner: Manner::Trickle, ..self }
    }

    pub fn late(self, pause: Duration) -> Self {
        Self { manner: Manner::Late(pause), ..self }
    }

    /// Errors are those of a client that has hung up, which some tests want.
    fn send(self, request: &str, stream: &mut TcpStream) -> std::io::Result<()> {
        write!(stream, "HTTP/1.1 {}\r\nConnection: close\r\n", self.status)?;
        for (name, value) in &self.headers {
            write!(stream, "{name}: {value}\r\n")?;
        }
        let mut body = self.body.as_slice();
        if self.manner == Manner::Rest {
            let first: usize = header(request, "range")
                .and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok())
                .expect("a request for the rest");
            if self.headers.iter().all(|(name, _)| *name != "Content-Range") {
                write!(stream, "Content-Range: bytes {first}-{}/{}\r\n", body.len() - 1, body.len())?;
            }
            body = &body[first..];
        }
        write!(stream, "Content-Length: {}\r\n\r\n", body.len())?;
        match self.manner {
            Manner::Whole | Manner::Rest => stream.write_all(body),
            Manner::CutAfter(bytes) => stream.write_all(&body[..bytes]),
            Manner::StallAfter(bytes) => {
                stream.write_all(&body[..bytes])?;
                stream.read(&mut [0]).map(drop) // returns when the client hangs up
            }
            Manner::Trickle => body.chunks(1).try_for_each(|byte| {
                thread::sleep(Duration::from_millis(20));
                stream.write_all(byte)
            }),
            Manner::Late(pause) => {
                thread::sleep(pause);
                stream.write_all(body)
            }
        }
    }
}

/// Answers as many connections as it has answers, then refuses further ones.
pub struct Server {
    /// Without a slash at the end.
    pub url: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    pub fn start(answers: Vec<Answer>) -> Self {
        Self::start_with(|_| answers)
    }

    /// For answers that name the server's own address.
    pub fn start_with(answers: impl FnOnce(&str) -> Vec<Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("its address"));
        let answers = answers(&url);
        let requests = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&requests);
        thread::spawn(move || {
            for answer in answers {
                let Ok((mut stream, _)) = listener.accept() else { return };
                let request = read_head(&mut stream);
                log.lock().expect("the log").push(request.clone());
                let _ = answer.send(&request, &mut stream);
            }
        });
        Self { url, requests }
    }

    /// The heads of the requests so far.
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().expect("the log").clone()
    }
}

/// The value of a header in the head of a request.
pub fn header<'a>(request: &'a str, name: &str) -> Option<&'a str> {
    request.lines().find_map(|line| {
        let (key, value) = line.split_once(": ")?;
        key.eq_ignore_ascii_case(name).then_some(value)
    })
}

fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|count| count == 1) {
        head.push(byte[0]);
    }
    String::from_utf8_lossy(&head).into_owned()
}
