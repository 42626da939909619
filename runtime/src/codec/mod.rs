//! Arguments and results as bytes. postcard does not describe itself, so every payload carries an envelope
//! that says what it is, and decodes only as just that.

mod arguments;
mod envelope;
mod tracer;

pub use arguments::{DecodeError, Decoder, Encoder};
pub(crate) use envelope::{Envelope, open, seal};
pub use tracer::Tracer;
