//! Netlink dumps (RFC 3549, `netlink(7)`): asks the kernel for all of something and hands on each message.

use std::io::{self, Error, ErrorKind};

use socket2::{Domain, Protocol, Socket, Type};

/// The kernel fills at most this much at once (`NLMSG_GOODSIZE` up to 32 KiB, `af_netlink.c`), but for a single
/// message that is larger.
const BUFFER: usize = 32 * 1024;
/// A dump of more bytes has more to come, as the kernel fills a buffer at a time.
const LONG: usize = BUFFER / 2;
/// How often a dump is asked for again that the kernel said was interrupted by a change.
const MOST_DUMPS: usize = 8;

const HEADER: usize = 16;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const NLM_F_REQUEST: u16 = 0x1;
const NLM_F_DUMP: u16 = 0x300;
const NLM_F_DUMP_INTR: u16 = 0x10;

/// A connection to one of the kernel's tables.
pub(super) struct Netlink {
    socket: Socket,
    protocol: i32,
    is_strict: bool,
    buffer: Vec<u8>,
    /// The last request's number.
    sequence: u32,
}

/// How one dump ended.
enum End {
    Whole,
    /// Something changed meanwhile: what came is not one picture.
    Torn,
    /// The buffer was too small. There is room now, but the rest of the dump, or its end, is still to come or lost.
    Cut,
}

impl Netlink {
    /// Opens a connection to rtnetlink.
    pub(super) fn route() -> io::Result<Self> {
        Self::open(libc::NETLINK_ROUTE)
    }

    /// Opens a connection to `sock_diag(7)`.
    pub(super) fn sock_diag() -> io::Result<Self> {
        Self::open(libc::NETLINK_SOCK_DIAG)
    }

    /// Opens a connection to the families of generic netlink.
    pub(super) fn generic() -> io::Result<Self> {
        Self::open(libc::NETLINK_GENERIC)
    }

    fn open(protocol: i32) -> io::Result<Self> {
        let socket = Self::socket(protocol)?;
        Ok(Self { socket, protocol, is_strict: false, buffer: Vec::with_capacity(BUFFER), sequence: 0 })
    }

    fn socket(protocol: i32) -> io::Result<Socket> {
        Socket::new(Domain::from(libc::AF_NETLINK), Type::RAW, Some(Protocol::from(protocol)))
    }

    /// Begins anew, rid of what is still to come.
    fn reopen(&mut self) -> io::Result<()> {
        self.socket = Self::socket(self.protocol)?;
        if self.is_strict {
            self.be_strict();
        }
        Ok(())
    }

    /// Makes the kernel heed everything in a request, and so filter what it dumps; one older than Linux 4.20 gives
    /// all, as it always did.
    pub(super) fn be_strict(&mut self) {
        self.is_strict = true;
        super::set_option(&self.socket, libc::SOL_NETLINK, libc::NETLINK_GET_STRICT_CHK, 1)
            .unwrap_or_default();
    }

    /// Asks for one thing: the payload of the answer, after its header.
    pub(super) fn one(&mut self, message_type: u16, body: &[u8]) -> io::Result<Option<Vec<u8>>> {
        for _ in 0..MOST_DUMPS {
            self.sequence += 1;
            self.socket.send(&request(message_type, NLM_F_REQUEST, self.sequence, body))?;
            while self.fill()? {
                let sequence = self.sequence;
                match Messages(&self.buffer).find(|message| message.sequence == sequence) {
                    Some(Message { kind: NLMSG_ERROR, payload, .. }) => return Err(error_in(payload)),
                    Some(message) => return Ok(Some(message.payload.to_vec())),
                    None => {}
                }
            }
            self.reopen()?;
        }
        Ok(None)
    }

    /// Dumps all of one kind, in one consistent picture: what `parse` makes of the payload of each message, after its
    /// header.
    ///
    /// `body` is the request's fixed part (`ifinfomsg`, say), zeroed but for its family, and its attributes.
    pub(super) fn dump<T, I: IntoIterator<Item = T>>(
        &mut self,
        message_type: u16,
        body: &[u8],
        parse: impl FnMut(&[u8]) -> I,
    ) -> io::Result<Vec<T>> {
        self.long_dump(message_type, body, parse, || ())
    }

    /// The same, and calls `is_long` once it turns out that there is much to come.
    pub(super) fn long_dump<T, I: IntoIterator<Item = T>>(
        &mut self,
        message_type: u16,
        body: &[u8],
        mut parse: impl FnMut(&[u8]) -> I,
        is_long: impl FnOnce(),
    ) -> io::Result<Vec<T>> {
        let mut all = Vec::new();
        let mut bytes = 0;
        let mut is_long = Some(is_long);
        self.dump_each(message_type, body, &mut |payload| match payload {
            Some(payload) => {
                bytes += payload.len();
                if bytes > LONG
                    && let Some(is_long) = is_long.take()
                {
                    is_long();
                }
                all.extend(parse(payload));
            }
            None => all.clear(),
        })?;
        Ok(all)
    }

    /// Hands on the payload of each message of a dump, and `None` before each attempt at it.
    fn dump_each(
        &mut self,
        message_type: u16,
        body: &[u8],
        each: &mut dyn FnMut(Option<&[u8]>),
    ) -> io::Result<()> {
        let mut has_any = false;
        for _ in 0..MOST_DUMPS {
            each(None);
            has_any = false;
            self.sequence += 1;
            self.socket.send(&request(message_type, NLM_F_REQUEST | NLM_F_DUMP, self.sequence, body))?;
            let mut taken = |payload: &[u8]| {
                has_any = true;
                each(Some(payload));
            };
            match self.receive(&mut taken) {
                Ok(End::Whole) => return Ok(()),
                Ok(End::Torn) => {}
                Ok(End::Cut) => self.reopen()?,
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => {}
                Err(error) => return Err(error),
            }
        }
        // The picture changes faster than it can be taken; the last one is the best there is.
        if has_any { Ok(()) } else { Err(ErrorKind::Interrupted.into()) }
    }

    fn receive(&mut self, each: &mut dyn FnMut(&[u8])) -> io::Result<End> {
        let mut end = End::Whole;
        loop {
            if !self.fill()? {
                return Ok(End::Cut);
            }
            for message in Messages(&self.buffer).filter(|message| message.sequence == self.sequence) {
                if message.flags & NLM_F_DUMP_INTR != 0 {
                    end = End::Torn;
                }
                match message.kind {
                    // It may say that the kernel could not go on, and why.
                    NLMSG_DONE => match u32_at(message.payload, 0).map(u32::cast_signed) {
                        Some(failed) if failed < 0 => return Err(error_in(message.payload)),
                        _ => return Ok(end),
                    },
                    NLMSG_ERROR => return Err(error_in(message.payload)),
                    _ => each(message.payload),
                }
            }
        }
    }

    /// Reads what the kernel says next; whether it was all of it. If not, there is room the next time.
    fn fill(&mut self) -> io::Result<bool> {
        self.buffer.clear();
        // With MSG_TRUNC it tells how long the message was, not how much of it fitted (recv(2)).
        let length = loop {
            match self.socket.recv_with_flags(self.buffer.spare_capacity_mut(), libc::MSG_TRUNC) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                other => break other?,
            }
        };
        let room = self.buffer.capacity();
        // SAFETY: the kernel has written that many bytes, and no more than there was room for.
        unsafe { self.buffer.set_len(length.min(room)) };
        if length > room {
            self.buffer.reserve(length);
        }
        Ok(length <= room)
    }
}

fn request(message_type: u16, flags: u16, sequence: u32, fixed: &[u8]) -> Vec<u8> {
    let length = u32::try_from(HEADER + fixed.len()).expect("requests are a few bytes long");
    let mut bytes = Vec::with_capacity(HEADER + fixed.len());
    bytes.extend(length.to_ne_bytes());
    bytes.extend(message_type.to_ne_bytes());
    bytes.extend(flags.to_ne_bytes());
    bytes.extend(sequence.to_ne_bytes());
    bytes.extend(0_u32.to_ne_bytes());
    bytes.extend(fixed);
    bytes
}

/// The error in an NLMSG_ERROR message: a negative errno.
fn error_in(payload: &[u8]) -> Error {
    match u32_at(payload, 0) {
        Some(errno) => Error::from_raw_os_error(errno.cast_signed().wrapping_neg()),
        None => ErrorKind::InvalidData.into(),
    }
}

struct Message<'a> {
    kind: u16,
    flags: u16,
    sequence: u32,
    payload: &'a [u8],
}

/// The messages in what one read gave; ends at the first that is cut short.
struct Messages<'a>(&'a [u8]);

impl<'a> Iterator for Messages<'a> {
    type Item = Message<'a>;

    fn next(&mut self) -> Option<Message<'a>> {
        let length = usize::try_from(u32_at(self.0, 0)?).ok()?;
        let message = Message {
            kind: u16_at(self.0, 4)?,
            flags: u16_at(self.0, 6)?,
            sequence: u32_at(self.0, 8)?,
            payload: self.0.get(HEADER..length)?,
        };
        self.0 = self.0.get(aligned(length)..).unwrap_or_default();
        Some(message)
    }
}

/// The attributes (type, payload) of a message; ends at the first that is cut short.
pub(super) struct Attributes<'a>(pub(super) &'a [u8]);

impl<'a> Iterator for Attributes<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<(u16, &'a [u8])> {
        /// NLA_F_NESTED and NLA_F_NET_BYTEORDER share the field with the type.
        const TYPE_MASK: u16 = 0x3fff;
        let length = usize::from(u16_at(self.0, 0)?);
        let kind = u16_at(self.0, 2)? & TYPE_MASK;
        let payload = self.0.get(4..length)?;
        self.0 = self.0.get(aligned(length)..).unwrap_or_default();
        Some((kind, payload))
    }
}

/// Netlink pads everything to four bytes.
fn aligned(length: usize) -> usize {
    (length + 3) & !3
}

/// The native-endian number at an offset, if the bytes reach that far.
pub(super) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

/// The native-endian number at an offset, if the bytes reach that far.
pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

/// The native-endian number at an offset, if the bytes reach that far.
pub(super) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_ne_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_and_attributes_end_where_they_are_cut_short() {
        let whole = request(18, 0, 7, &[1, 2, 3, 4, 5]);
        let mut two = whole.clone();
        two.extend([0; 3]);
        two.extend(&whole);
        assert_eq!(Messages(&two).count(), 2);
        for cut in 0..two.len() {
            assert!(Messages(&two[..cut]).all(|message| message.payload.len() == 5), "cut at {cut}");
            let _ = Attributes(&two[..cut]).count();
        }
        assert_eq!(Messages(&[0; 64]).count(), 0, "a length of zero must not loop");
        assert_eq!(Attributes(&[0; 64]).count(), 0, "a length of zero must not loop");
    }

    #[test]
    fn attributes_lose_their_flag_bits() {
        let nested = [8, 0, 18, 0x80, 1, 2, 3, 4];
        assert_eq!(Attributes(&nested).next(), Some((18, &nested[4..])));
    }
}
