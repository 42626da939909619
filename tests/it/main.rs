//! Black-box tests: what a user of the library sees, one behaviour in a module.

mod perform;
