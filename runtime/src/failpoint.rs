//! Named steps at which a test ends or stops the process: the moments between two things that belong together. The
//! environment says which, with feature `testing` alone; without it nothing is left of them.

#[cfg(feature = "testing")]
pub use armed::STEPS;
#[cfg(feature = "testing")]
pub(crate) use armed::reached;

/// The process has come to this step.
#[cfg(not(feature = "testing"))]
#[inline(always)]
pub(crate) const fn reached(_: &'static str) {}

#[cfg(feature = "testing")]
mod armed {
    use std::str::FromStr;
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU32, Ordering};

    const VARIABLE: &str = "AFTERHOURS_FAILPOINT";

    /// All there are. `in-…` are inside of a transaction, whose first change is made.
    ///
    /// ```
    /// use afterhours::testing::STEPS;
    ///
    /// for step in STEPS {
    ///     // As `AFTERHOURS_FAILPOINT=after-claim:exit` in the environment of the process that is to end there.
    ///     let environment = ("AFTERHOURS_FAILPOINT", format!("{step}:exit"));
    /// #   assert!(environment.1.ends_with(":exit"));
    /// }
    /// assert!(STEPS.contains(&"after-claim"));
    /// ```
    pub const STEPS: [&str; 18] = [
        "in-migration",
        "in-insert",
        "in-claim",
        "in-settle",
        "in-rescue",
        "in-tick",
        "before-commit",
        "after-commit",
        "after-answer",
        "after-wake",
        "after-register",
        "after-claim",
        "before-attempt",
        "after-attempt",
        "after-settle",
        "between-rescues",
        "after-rescue",
        "before-unregister",
    ];

    static ARMED: LazyLock<Option<Armed>> = LazyLock::new(|| {
        let said = std::env::var(VARIABLE).ok()?;
        Some(said.parse().unwrap_or_else(|wrong| {
            panic!("{VARIABLE}={said}: {wrong}; say `<step>:exit` or `<step>@<n>:stop`")
        }))
    });

    struct Armed {
        step: &'static str,
        /// It happens when the step is reached for the time that counts this to zero.
        left: AtomicU32,
        action: Action,
    }

    #[derive(Clone, Copy)]
    enum Action {
        /// Ends the process as SIGKILL does: nothing is cleaned up.
        Exit,
        /// Stops the process until somebody sends SIGCONT.
        Stop,
    }

    /// The process has come to this step.
    pub(crate) fn reached(step: &'static str) {
        debug_assert!(STEPS.contains(&step), "`{step}` is not listed");
        let Some(armed) = &*ARMED else { return };
        if armed.step == step && armed.left.fetch_sub(1, Ordering::Relaxed) == 1 {
            armed.action.perform();
        }
    }

    impl FromStr for Armed {
        type Err = &'static str;

        fn from_str(said: &str) -> Result<Self, Self::Err> {
            let (place, action) = said.rsplit_once(':').ok_or("it says no action")?;
            let (name, times) = place.split_once('@').unwrap_or((place, "1"));
            let step = STEPS.into_iter().find(|step| *step == name);
            Ok(Self {
                step: step.ok_or("there is no such step")?,
                left: AtomicU32::new(times.parse().map_err(|_| "`@` needs a number")?),
                action: match action {
                    "exit" => Action::Exit,
                    "stop" => Action::Stop,
                    _ => return Err("there is no such action"),
                },
            })
        }
    }

    impl Action {
        #[cfg(unix)]
        fn perform(self) {
            use nix::sys::signal::{Signal, raise};

            let signal = match self {
                Self::Exit => Signal::SIGKILL,
                Self::Stop => Signal::SIGSTOP,
            };
            // Neither signal can be caught or refused.
            let _ = raise(signal);
        }

        #[cfg(not(unix))]
        fn perform(self) {
            std::process::abort();
        }
    }
}
