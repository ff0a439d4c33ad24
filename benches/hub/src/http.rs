//! The HTTP of the comparison: request heads without bodies, one fixed answer.
//!
//! Every Rust server parses whole heads with `httparse`, as a server that looks at its headers has to.

const HEADERS: usize = 32;

/// Heads that one call answers; more than fit into one receive buffer.
const AT_ONCE: usize = 256;

/// The answer to every request.
pub const RESPONSE: &[u8; RESPONSE_BYTES] =
    b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\nHello, world!";
const RESPONSE_BYTES: usize = 78;

static RESPONSES: [u8; AT_ONCE * RESPONSE_BYTES] = repeated();

const fn repeated() -> [u8; AT_ONCE * RESPONSE_BYTES] {
    let mut all = [0; AT_ONCE * RESPONSE_BYTES];
    let mut i = 0;
    while i < all.len() {
        all[i] = RESPONSE[i % RESPONSE_BYTES];
        i += 1;
    }
    all
}

/// The request of the load generator.
pub fn request(host: &str) -> Vec<u8> {
    format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n").into_bytes()
}

/// What a connection keeps of a request that has not come whole.
#[derive(Default)]
pub struct Pieces(Vec<u8>);

impl Pieces {
    /// The answers to all requests that are complete with these bytes; `None` when they are none.
    pub fn answer(&mut self, received: &[u8]) -> Option<&'static [u8]> {
        if self.0.is_empty() {
            let (count, used) = heads(received)?;
            if used < received.len() {
                self.0.extend_from_slice(&received[used..]);
            }
            return Some(&RESPONSES[..count * RESPONSE_BYTES]);
        }
        self.0.extend_from_slice(received);
        let (count, used) = heads(&self.0)?;
        self.0.drain(..used);
        Some(&RESPONSES[..count * RESPONSE_BYTES])
    }
}

/// How many complete heads stand at the start of `bytes`, and their length.
fn heads(bytes: &[u8]) -> Option<(usize, usize)> {
    let (mut count, mut used) = (0, 0);
    while used < bytes.len() && count < AT_ONCE {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS];
        match httparse::Request::new(&mut headers).parse(&bytes[used..]) {
            Ok(httparse::Status::Complete(length)) => (count, used) = (count + 1, used + length),
            Ok(httparse::Status::Partial) if bytes.len() - used < 64 * 1024 => break,
            _ => return None,
        }
    }
    Some((count, used))
}

/// The length of the response at the start of `bytes` with its body, once its head is there.
pub fn response_length(bytes: &[u8]) -> Result<Option<usize>, String> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    let head = match response.parse(bytes).map_err(|error| error.to_string())? {
        httparse::Status::Complete(head) => head,
        httparse::Status::Partial => return Ok(None),
    };
    if response.code != Some(200) {
        return Err(format!("status {:?}", response.code));
    }
    let length = headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length"));
    let length = length.and_then(|header| str::from_utf8(header.value).ok()?.parse::<usize>().ok());
    Ok(Some(head + length.ok_or("a response without Content-Length")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_answered_one_by_one_whatever_their_pieces() {
        let two = [request("a"), request("b")].concat();
        for cut in 0..two.len() {
            let mut pieces = Pieces::default();
            let first = pieces.answer(&two[..cut]).expect("a start of two requests").len();
            let second = pieces.answer(&two[cut..]).expect("the rest of them").len();
            assert_eq!(first + second, 2 * RESPONSE.len(), "cut at {cut}");
            assert!(pieces.0.is_empty());
        }
        assert_eq!(Pieces::default().answer(b"\0\0\0\0"), None);
    }

    #[test]
    fn responses_are_measured_with_their_body() {
        assert_eq!(response_length(RESPONSE), Ok(Some(RESPONSE.len())));
        assert_eq!(response_length(&RESPONSE[..20]), Ok(None));
        assert!(response_length(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n").is_err());
    }
}
