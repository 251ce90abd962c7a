//! What stands in packets: codecs and numbers, pure. Nothing here knows a socket or a clock, and nothing panics, whatever
//! the bytes.

pub mod echo;
pub mod icmp;
