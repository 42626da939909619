//! The envelope around a run's arguments: format, version, signature, length and checksum.

use super::DecodeError;

/// The layout described by [`seal`].
const FORMAT: u8 = 1;
const HEADER: usize = 18;

/// What an envelope says about its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Envelope {
    pub(crate) version: u32,
    pub(crate) signature: u32,
}

/// Puts the arguments into an envelope: format (1 byte), codec (1), version (4), signature (4), length (4),
/// crc32 of the arguments (4), all little-endian, then the arguments. Fails above 4 GiB.
pub(crate) fn seal(envelope: Envelope, arguments: &[u8]) -> Option<Vec<u8>> {
    const POSTCARD: u8 = 0;
    let length = u32::try_from(arguments.len()).ok()?;
    let mut bytes = Vec::with_capacity(HEADER + arguments.len());
    bytes.extend([FORMAT, POSTCARD]);
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

/// Takes the arguments out again if the envelope is whole and is the expected one.
pub(crate) fn open(expected: Envelope, bytes: &[u8]) -> Result<&[u8], DecodeError> {
    let (header, arguments) = bytes.split_first_chunk::<HEADER>().ok_or_else(|| {
        DecodeError::new(format!(
            "{} bytes are too few for an envelope of {HEADER}",
            bytes.len()
        ))
    })?;
    if header[..2] != [FORMAT, 0] {
        return Err(DecodeError::new(format!(
            "format {}.{} is unknown to this build",
            header[0], header[1]
        )));
    }
    let number = |at: usize| {
        u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]])
    };
    let found = Envelope {
        version: number(2),
        signature: number(6),
    };
    if found != expected {
        return Err(DecodeError::mismatch(found, expected));
    }
    if usize::try_from(number(10)) != Ok(arguments.len())
        || number(14) != crc32fast::hash(arguments)
    {
        return Err(DecodeError::new(
            "the stored bytes are damaged: length or checksum do not match".to_owned(),
        ));
    }
    Ok(arguments)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: Envelope = Envelope {
        version: 1,
        signature: 0xdead_beef,
    };

    #[test]
    fn an_envelope_gives_back_what_was_sealed() {
        let bytes = seal(HERE, b"abc").unwrap();
        assert_eq!(open(HERE, &bytes).unwrap(), b"abc");
    }

    #[test]
    fn every_damaged_byte_is_noticed() {
        let sealed = seal(HERE, b"abc").unwrap();
        for at in 0..sealed.len() {
            let mut bytes = sealed.clone();
            bytes[at] ^= 1;
            assert!(open(HERE, &bytes).is_err(), "byte {at}");
            assert!(open(HERE, &sealed[..at]).is_err(), "cut at {at}");
        }
        assert!(open(HERE, &[sealed.as_slice(), b"x"].concat()).is_err());
    }

    #[test]
    fn a_mismatch_spells_out_both_signatures() {
        let sealed = seal(
            Envelope {
                signature: 0x1234_abcd,
                ..HERE
            },
            b"",
        )
        .unwrap();
        let message = open(HERE, &sealed).unwrap_err().to_string();
        assert!(
            message.contains("1234abcd") && message.contains("deadbeef"),
            "{message}"
        );
    }
}
