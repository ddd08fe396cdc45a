//! Both ends of an HTTP/1.1 connection, as cheap as they can be made: requests are bytes made beforehand, replies are read
//! into one buffer, bodies have a length. A general client would need more of the loader's core than the server of its own.

use std::io::{Error, ErrorKind, Result};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, ToSocketAddrs},
};

/// More than any message here is long.
const BUFFER: usize = 32 * 1024;
const MOST_HEADERS: usize = 32;

/// The client's end.
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    pub(crate) async fn open(address: impl ToSocketAddrs) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: vec![0; BUFFER] })
    }

    /// Sends a request and reads the whole reply: its status and body.
    pub(crate) async fn exchange(&mut self, request: &[u8]) -> Result<(u16, &[u8])> {
        self.stream.write_all(request).await?;
        let mut filled = 0;
        loop {
            filled += read(&mut self.stream, &mut self.buffer[filled..]).await?;
            let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
            let mut reply = httparse::Response::new(&mut headers);
            if let httparse::Status::Complete(body) = reply.parse(&self.buffer[..filled]).map_err(Error::other)? {
                let status = reply.code.unwrap_or_default();
                let end = body + length(reply.headers).ok_or_else(|| Error::other("a reply without a length"))?;
                while filled < end {
                    filled += read(&mut self.stream, &mut self.buffer[filled..]).await?;
                }
                return Ok((status, &self.buffer[body..end]));
            }
        }
    }
}

/// Reads one request at the server's end: its `Authorization` and body, or nothing when the client has closed.
pub(crate) async fn request(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Result<Option<(String, Vec<u8>)>> {
    buffer.resize(BUFFER, 0);
    let mut filled = 0;
    loop {
        match stream.read(&mut buffer[filled..]).await? {
            0 if filled == 0 => return Ok(None),
            0 => return Err(ErrorKind::UnexpectedEof.into()),
            n => filled += n,
        }
        let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
        let mut request = httparse::Request::new(&mut headers);
        if let httparse::Status::Complete(body) = request.parse(&buffer[..filled]).map_err(Error::other)? {
            let authorization = header(request.headers, "authorization").unwrap_or_default().to_owned();
            let end = body + length(request.headers).unwrap_or(0);
            while filled < end {
                filled += read(stream, &mut buffer[filled..]).await?;
            }
            return Ok(Some((authorization, buffer[body..end].to_vec())));
        }
    }
}

async fn read(stream: &mut TcpStream, into: &mut [u8]) -> Result<usize> {
    match stream.read(into).await? {
        0 => Err(ErrorKind::UnexpectedEof.into()),
        n => Ok(n),
    }
}

fn header<'a>(headers: &'a [httparse::Header<'_>], name: &str) -> Option<&'a str> {
    let header = headers.iter().find(|header| header.name.eq_ignore_ascii_case(name))?;
    std::str::from_utf8(header.value).ok()
}

fn length(headers: &[httparse::Header<'_>]) -> Option<usize> {
    header(headers, "content-length")?.trim().parse().ok()
}

/// The bytes of a POST of a form.
pub(crate) fn post_form(path: &str, form: &str) -> Vec<u8> {
    post(path, "content-type: application/x-www-form-urlencoded\r\n", form)
}

/// The bytes of a POST of JSON with a bearer token.
pub(crate) fn post_json(path: &str, bearer: &str, json: &str) -> Vec<u8> {
    post(path, &format!("authorization: Bearer {bearer}\r\ncontent-type: application/json\r\n"), json)
}

/// The bytes of a GET with a bearer token.
pub(crate) fn get(path: &str, bearer: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {bearer}\r\n\r\n").into_bytes()
}

fn post(path: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("POST {path} HTTP/1.1\r\nhost: localhost\r\n{headers}content-length: {length}\r\n\r\n{body}").into_bytes()
}
