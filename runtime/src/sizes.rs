//! How large what is stored with a run may be, and what is said of something larger.

use crate::error::Error;

/// Arguments, and results, in bytes, unless the client's builder says otherwise.
pub(crate) const PAYLOAD: usize = 1024 * 1024;
/// No client can ask for more: SQLite stores no row above 1 GB, and a row has arguments and a result.
pub(crate) const MOST_PAYLOAD: usize = 256 * 1024 * 1024;
/// Names that call sites give: of queues and schedules, and keys that keep twins out.
pub(crate) const NAME: usize = 1024;
/// What a call site sets for one run, as it is stored; tags above all.
pub(crate) const OPTIONS: usize = 8 * 1024;
/// How many attempts of a run are remembered, the latest.
pub(crate) const HISTORY: i64 = 100;
/// Errors and reasons; what is longer is cut.
const TEXT: usize = 8 * 1024;

/// How many bytes the parts of a run have that a call site brings.
pub(crate) struct Sizes {
    pub(crate) arguments: usize,
    pub(crate) options: usize,
    pub(crate) queue: usize,
    pub(crate) key: usize,
}

impl Sizes {
    /// Refuses what is too large to be stored.
    pub(crate) fn check(&self, job: &str, max_payload: usize) -> Result<(), Error> {
        let parts = [
            ("arguments", self.arguments, max_payload, ELSEWHERE),
            ("tags and options", self.options, OPTIONS, FEWER_TAGS),
            ("a queue name", self.queue, NAME, "give a shorter one"),
            (
                "a unique key",
                self.key,
                NAME,
                "give a shorter one, such as a hash of this one",
            ),
        ];
        let too_large = parts.into_iter().find(|(_, size, limit, _)| size > limit);
        too_large.map_or(Ok(()), |(what, size, limit, advice)| {
            Err(Error::TooLarge {
                job: job.to_owned(),
                what,
                size,
                limit,
                advice,
            })
        })
    }
}

const FEWER_TAGS: &str = "give fewer or shorter tags";
const ELSEWHERE: &str = "keep the data elsewhere and pass a reference to it, or raise `max_payload` of the client's builder";

/// Refuses a result that is too large to be stored.
pub(crate) fn check_result(size: usize, max_payload: usize) -> Result<(), String> {
    if size <= max_payload {
        return Ok(());
    }
    Err(format!(
        "it has {size} bytes and at most {max_payload} are stored; keep the data elsewhere and return a reference to \
         it, or raise `max_payload` of the client's builder"
    ))
}

/// Refuses a setting that makes no sense.
pub(crate) fn check_setting(payload: usize) -> Result<(), Error> {
    if (1..=MOST_PAYLOAD).contains(&payload) {
        return Ok(());
    }
    Err(Error::Setting {
        setting: "max_payload",
        reason: format!(
            "arguments and results of at most {payload} bytes are not possible: give 1 to {MOST_PAYLOAD}"
        ),
    })
}

/// Errors and reasons are stored up to a length.
pub(crate) fn shorten(mut text: String) -> String {
    let end = (0..=TEXT.min(text.len()))
        .rev()
        .find(|at| text.is_char_boundary(*at));
    text.truncate(end.unwrap_or(0));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_between_characters() {
        assert_eq!(shorten("short".to_owned()), "short");
        let long = "é".repeat(TEXT);
        assert_eq!(shorten(format!("x{long}")).len(), TEXT - 1);
        assert_eq!(shorten(long).len(), TEXT);
    }

    #[test]
    fn a_limit_is_from_one_byte_to_what_sqlite_can_store() {
        for possible in [1, PAYLOAD, MOST_PAYLOAD] {
            assert!(check_setting(possible).is_ok());
        }
        for absurd in [0, MOST_PAYLOAD + 1, usize::MAX] {
            let error = check_setting(absurd).unwrap_err().to_string();
            assert!(
                error.starts_with(&format!(
                    "max_payload: arguments and results of at most {absurd} bytes"
                )),
                "{error}"
            );
        }
    }
}
