//! Arguments and results as bytes. postcard does not describe itself, so every payload carries an envelope
//! that says what it is, and decodes only as just that.

mod arguments;
mod bounds;
mod deserializer;
mod envelope;
mod serializer;
mod tracer;

pub use arguments::{Codec, DecodeError, Decoder, Encoder};
pub(crate) use deserializer::take_from_bytes;
#[cfg(feature = "testing")]
pub(crate) use envelope::content;
pub(crate) use envelope::{Envelope, content_len, open, seal, sealed_len};

/// What to do about a type that the codec cannot carry.
pub(crate) fn advice(codec: Codec) -> &'static str {
    match codec {
        Codec::Postcard => "; give the job `codec = \"json\"`",
        Codec::Json => "",
    }
}

pub use tracer::Tracer;

#[cfg(test)]
mod tests;
