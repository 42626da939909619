//! The envelope around a run's arguments: format, version, signature, length and checksum.

use super::{Codec, DecodeError};

/// The layout described by [`seal`].
const FORMAT: u8 = 1;
const HEADER: usize = 18;

/// What an envelope says about its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Envelope {
    pub(crate) codec: Codec,
    pub(crate) version: u32,
    pub(crate) signature: u32,
}

/// Puts the arguments into an envelope: format (1 byte), codec (1), version (4), signature (4), length (4),
/// crc32 of the arguments (4), all little-endian, then the arguments. Fails above 4 GiB.
pub(crate) fn seal(envelope: Envelope, arguments: &[u8]) -> Option<Vec<u8>> {
    let length = u32::try_from(arguments.len()).ok()?;
    let mut bytes = Vec::with_capacity(HEADER + arguments.len());
    bytes.extend([FORMAT, codec_number(envelope.codec)]);
    for number in [
        envelope.version,
        envelope.signature,
        length,
        crc32fast::hash(arguments),
    ] {
        bytes.extend(number.to_le_bytes());
    }
    bytes.extend(arguments);
    Some(bytes)
}

/// The arguments' own bytes.
#[cfg(feature = "testing")]
pub(crate) fn content(sealed: &[u8]) -> &[u8] {
    sealed.get(HEADER..).unwrap_or_default()
}

/// How many bytes of a sealed payload are the arguments' own.
pub(crate) fn content_len(sealed: &[u8]) -> usize {
    sealed.len().saturating_sub(HEADER)
}

/// How many bytes so many bytes of arguments are, sealed.
pub(crate) fn sealed_len(content: usize) -> usize {
    content.saturating_add(HEADER)
}

/// Takes the arguments out again, with what the envelope says about them, if it is whole.
pub(crate) fn open(bytes: &[u8]) -> Result<(Envelope, &[u8]), DecodeError> {
    let (header, arguments) = bytes.split_first_chunk::<HEADER>().ok_or_else(|| {
        DecodeError::new(format!(
            "{} bytes are too few for an envelope of {HEADER}",
            bytes.len()
        ))
    })?;
    let codec = match header[..2] {
        [FORMAT, 0] => Codec::Postcard,
        [FORMAT, 1] => Codec::Json,
        _ => {
            let reason = format!(
                "format {}.{} is unknown to this build",
                header[0], header[1]
            );
            return Err(DecodeError::new(reason));
        }
    };
    let number = |at: usize| {
        u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]])
    };
    if usize::try_from(number(10)) != Ok(arguments.len())
        || number(14) != crc32fast::hash(arguments)
    {
        return Err(DecodeError::new(
            "the stored bytes are damaged: length or checksum do not match".to_owned(),
        ));
    }
    Ok((
        Envelope {
            codec,
            version: number(2),
            signature: number(6),
        },
        arguments,
    ))
}

fn codec_number(codec: Codec) -> u8 {
    match codec {
        Codec::Postcard => 0,
        Codec::Json => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: Envelope = Envelope {
        codec: Codec::Json,
        version: 3,
        signature: 0xdead_beef,
    };

    #[test]
    fn an_envelope_gives_back_what_was_sealed() {
        let bytes = seal(HERE, b"abc").unwrap();
        assert_eq!(open(&bytes).unwrap(), (HERE, &b"abc"[..]));
    }

    #[test]
    fn every_damaged_byte_is_noticed() {
        let sealed = seal(HERE, b"abc").unwrap();
        for at in 0..sealed.len() {
            let mut bytes = sealed.clone();
            bytes[at] ^= 2;
            assert_ne!(open(&bytes).ok(), Some((HERE, &b"abc"[..])), "byte {at}");
            assert!(open(&sealed[..at]).is_err(), "cut at {at}");
        }
        assert!(open(&[sealed.as_slice(), b"x"].concat()).is_err());
    }
}
