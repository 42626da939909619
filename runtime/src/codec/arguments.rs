//! Arguments one after the other, each under its name so that a message can say which one failed.

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Envelope;
use crate::call::JobArgument;

/// Collects the arguments of one run.
#[derive(Debug, Default)]
pub struct Encoder {
    bytes: Vec<u8>,
    failed: Option<String>,
}

impl Encoder {
    /// Appends an argument. After a failure the rest is ignored; [`Encoder::finish`] tells.
    pub fn push<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) {
        if self.failed.is_some() {
            return;
        }
        match postcard::to_extend(value, std::mem::take(&mut self.bytes)) {
            Ok(bytes) => self.bytes = bytes,
            Err(error) => self.failed = Some(format!("argument `{name}`: {error}")),
        }
    }

    /// The bytes of all arguments, or which one could not be encoded.
    pub(crate) fn finish(self) -> Result<Vec<u8>, String> {
        match self.failed {
            None => Ok(self.bytes),
            Some(reason) => Err(reason),
        }
    }
}

/// Reads the arguments of one run, in order.
#[derive(Debug)]
pub struct Decoder<'a> {
    rest: &'a [u8],
}

impl<'a> Decoder<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The next argument.
    ///
    /// # Errors
    /// If the bytes are no `T`.
    pub fn next<T: JobArgument>(&mut self, name: &'static str) -> Result<T, DecodeError> {
        self.take(name)
    }

    /// The next value, which need not be an argument.
    pub(crate) fn take<T: DeserializeOwned>(
        &mut self,
        name: &'static str,
    ) -> Result<T, DecodeError> {
        let (value, rest) = postcard::take_from_bytes(self.rest).map_err(|error| {
            DecodeError::new(format!(
                "argument `{name}` does not decode as `{}`: {error}",
                std::any::type_name::<T>()
            ))
        })?;
        self.rest = rest;
        Ok(value)
    }

    /// Nothing may be left over: a dropped last field would otherwise go unnoticed.
    pub(crate) fn finish(self) -> Result<(), DecodeError> {
        match self.rest.len() {
            0 => Ok(()),
            left => Err(DecodeError::new(format!(
                "{left} bytes are left over after the last argument"
            ))),
        }
    }
}

/// Stored bytes that do not fit this build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecodeError(String);

impl DecodeError {
    pub(crate) fn new(reason: String) -> Self {
        Self(reason)
    }

    pub(super) fn mismatch(found: Envelope, expected: Envelope) -> Self {
        Self(format!(
            "it was stored with version {} and signature {:08x}, this build has version {} and signature {:08x}",
            found.version, found.signature, expected.version, expected.signature
        ))
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for DecodeError {}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn encoded(push: impl FnOnce(&mut Encoder)) -> Vec<u8> {
        let mut encoder = Encoder::default();
        push(&mut encoder);
        encoder.finish().unwrap()
    }

    #[test]
    fn borrowed_arguments_decode_owned() {
        let bytes = encoded(|e| {
            e.push("id", &42_u64);
            e.push("text", "hello");
            e.push("list", &[1_u8, 2][..]);
            e.push("note", &Some("x"));
        });
        let mut decoder = Decoder::new(&bytes);
        assert_eq!(decoder.next::<u64>("id").unwrap(), 42);
        assert_eq!(decoder.next::<String>("text").unwrap(), "hello");
        assert_eq!(decoder.next::<Vec<u8>>("list").unwrap(), [1, 2]);
        assert_eq!(
            decoder.next::<Option<String>>("note").unwrap().as_deref(),
            Some("x")
        );
        decoder.finish().unwrap();
    }

    #[test]
    fn leftovers_and_shortage_are_errors() {
        let bytes = encoded(|e| e.push("text", "hello"));
        let error = Decoder::new(&bytes).finish().unwrap_err();
        assert_eq!(
            error.to_string(),
            "6 bytes are left over after the last argument"
        );
        let error = Decoder::new(&bytes[..3])
            .next::<String>("text")
            .unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("argument `text` does not decode as"),
            "{error}"
        );
    }

    #[test]
    fn a_type_that_postcard_cannot_carry_is_named() {
        #[derive(Serialize)]
        struct Open {
            #[serde(flatten)]
            rest: BTreeMap<String, u8>,
        }
        let mut encoder = Encoder::default();
        encoder.push(
            "open",
            &Open {
                rest: BTreeMap::new(),
            },
        );
        encoder.push("more", &1);
        assert!(encoder.finish().unwrap_err().starts_with("argument `open`"));
    }
}
