//! TCP (RFC 9293): a probe that connects, sends, and checks every byte that comes back, and its other end.

mod connect;
pub mod echo;
mod explain;
mod failure;
mod payload;
pub mod serve;

pub use explain::{OtherEnd, Step};
pub use failure::{Failure, Outcome};
