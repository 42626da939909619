//! An open file: counts what is asked of it, and passes it on, or keeps it in memory where the disk forgets.
//!
//! It has no `xFetch`: SQLite would read a mapped file past everything here.

use std::ffi::{c_int, c_void};
use std::os::unix::fs::FileExt;

use nix::sys::signal::{Signal, raise};
use rusqlite::ffi::{self, sqlite3_file};

use crate::disk::{Change, disk};
use crate::fault::{Action, Op, Which};

/// What SQLite holds. The real file lies behind it.
#[repr(C)]
pub(crate) struct FaultFile {
    base: sqlite3_file,
    /// From `Box::into_raw`; null if the file could not be opened.
    inner: *mut Inner,
}

/// Room for a [`FaultFile`]; the real file behind it starts at a multiple of 8.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "it is 16"
)]
pub(crate) const SIZE: c_int = size_of::<FaultFile>().next_multiple_of(8) as c_int;

pub(crate) struct Inner {
    pub(crate) real: *mut sqlite3_file,
    /// Its name, if the disk forgets what is not synced.
    pub(crate) name: Option<String>,
    pub(crate) which: Which,
}

impl FaultFile {
    /// `code` says whether the real file is open.
    pub(crate) fn new(code: c_int, inner: Inner) -> Self {
        if code != ffi::SQLITE_OK {
            return Self {
                base: sqlite3_file {
                    pMethods: std::ptr::null(),
                },
                inner: std::ptr::null_mut(),
            };
        }
        Self {
            base: sqlite3_file { pMethods: &METHODS },
            inner: Box::into_raw(Box::new(inner)),
        }
    }
}

static METHODS: ffi::sqlite3_io_methods = ffi::sqlite3_io_methods {
    // 3 would add `xFetch`.
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(device_characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: None,
    xUnfetch: None,
};

/// Calls a method of the real file. Where it is used, the arguments are those that SQLite gave for the same method,
/// or are as that method wants them.
macro_rules! real {
    ($inner:expr, $method:ident $(, $argument:expr)*) => {{
        let real = $inner.real;
        // SAFETY: the real VFS has opened the file and given it methods; it is closed only with ours.
        match unsafe { (*(*real).pMethods).$method } {
            // SAFETY: the same, and the arguments are as the method wants them.
            Some(method) => unsafe { method(real $(, $argument)*) },
            None => Default::default(),
        }
    }};
}

/// # Safety
/// `file` must be one that `xOpen` has opened and `xClose` not closed, as SQLite promises to every method.
unsafe fn inner<'a>(file: *mut sqlite3_file) -> &'a Inner {
    // SAFETY: `xOpen` has put a `FaultFile` there, with an `Inner` that `xClose` frees; nobody changes it between.
    unsafe { &*(*file.cast::<FaultFile>()).inner }
}

/// Takes in what a file has when it is opened.
///
/// # Safety
/// As for [`inner`].
pub(crate) unsafe fn remember(file: *mut sqlite3_file) -> c_int {
    // SAFETY: as the caller says.
    let inner = unsafe { inner(file) };
    let Some(name) = &inner.name else {
        return ffi::SQLITE_OK;
    };
    match disk().open(name, || content(inner)) {
        Some(()) => ffi::SQLITE_OK,
        None => ffi::SQLITE_IOERR_READ,
    }
}

fn content(inner: &Inner) -> Option<Vec<u8>> {
    let mut size = 0;
    if real!(inner, xFileSize, &raw mut size) != ffi::SQLITE_OK {
        return None;
    }
    let mut bytes = vec![0; usize::try_from(size).ok()?];
    let count = c_int::try_from(size).ok()?;
    let code = match count {
        0 => ffi::SQLITE_OK,
        _ => real!(inner, xRead, bytes.as_mut_ptr().cast(), count, 0),
    };
    (code == ffi::SQLITE_OK).then_some(bytes)
}

/// Ends the process as a power cut or SIGKILL does.
pub(crate) fn die(action: Action) -> ! {
    let _power = (action == Action::CutPower).then(|| disk().cut_power(write_last));
    let _ = raise(Signal::SIGKILL);
    unreachable!("nobody survives SIGKILL")
}

/// Other descriptors lose their locks by this one; they are about to be gone in any case.
fn write_last(name: &str, changes: Vec<Change>) {
    let Ok(file) = std::fs::OpenOptions::new().write(true).open(name) else {
        return;
    };
    for change in changes {
        let _ = match change {
            Change::Write { at, bytes } => file.write_all_at(&bytes, at as u64),
            Change::Truncate { size } => file.set_len(size as u64),
        };
    }
}

/// `Some` is the code of what goes wrong with an operation that is not a write.
fn wrong(op: Op, inner: &Inner, code: c_int) -> Option<c_int> {
    match disk().meets(op, inner.which)? {
        Action::Full => None,
        Action::Fail => Some(code),
        action @ (Action::Exit | Action::CutPower) => die(action),
    }
}

/// An offset or size as SQLite says it is never negative.
fn place(offset: ffi::sqlite3_int64) -> usize {
    usize::try_from(offset).unwrap_or(0)
}

fn length(bytes: usize) -> ffi::sqlite3_int64 {
    ffi::sqlite3_int64::try_from(bytes).unwrap_or(ffi::sqlite3_int64::MAX)
}

unsafe extern "C" fn close(file: *mut sqlite3_file) -> c_int {
    // SAFETY: SQLite closes what `xOpen` has opened, once.
    let inner = unsafe { Box::from_raw((*file.cast::<FaultFile>()).inner) };
    real!(inner, xClose)
}

unsafe extern "C" fn read(
    file: *mut sqlite3_file,
    into: *mut c_void,
    count: c_int,
    at: ffi::sqlite3_int64,
) -> c_int {
    // SAFETY: SQLite's promise.
    let inner = unsafe { inner(file) };
    let Some(name) = &inner.name else {
        return real!(inner, xRead, into, count, at);
    };
    // SAFETY: SQLite gives room for `count` bytes that nobody else uses meanwhile; any bytes are `u8`s.
    let into = unsafe { std::slice::from_raw_parts_mut(into.cast::<u8>(), place(count.into())) };
    let there = disk().with(name, |content| content.read(place(at), into));
    if there == into.len() {
        return ffi::SQLITE_OK;
    }
    into[there..].fill(0);
    ffi::SQLITE_IOERR_SHORT_READ
}

unsafe extern "C" fn write(
    file: *mut sqlite3_file,
    from: *const c_void,
    count: c_int,
    at: ffi::sqlite3_int64,
) -> c_int {
    // SAFETY: SQLite's promise.
    let inner = unsafe { inner(file) };
    match disk().meets(Op::Write, inner.which) {
        Some(Action::Full) if at + ffi::sqlite3_int64::from(count) > size(inner) => {
            return ffi::SQLITE_FULL;
        }
        None | Some(Action::Full) => {}
        Some(Action::Fail) => return ffi::SQLITE_IOERR_WRITE,
        Some(action @ (Action::Exit | Action::CutPower)) => die(action),
    }
    let Some(name) = &inner.name else {
        return real!(inner, xWrite, from, count, at);
    };
    // SAFETY: SQLite gives `count` bytes.
    let bytes = unsafe { std::slice::from_raw_parts(from.cast::<u8>(), place(count.into())) };
    let (at, bytes) = (place(at), bytes.to_vec());
    disk().with(name, |content| content.change(Change::Write { at, bytes }));
    ffi::SQLITE_OK
}

fn size(inner: &Inner) -> ffi::sqlite3_int64 {
    match &inner.name {
        Some(name) => length(disk().with(name, |content| content.size())),
        None => {
            let mut size = 0;
            // Of a file whose size cannot be told, any write makes it grow.
            real!(inner, xFileSize, &raw mut size);
            size
        }
    }
}

unsafe extern "C" fn truncate(file: *mut sqlite3_file, size: ffi::sqlite3_int64) -> c_int {
    // SAFETY: SQLite's promise.
    let inner = unsafe { inner(file) };
    if let Some(code) = wrong(Op::Truncate, inner, ffi::SQLITE_IOERR_TRUNCATE) {
        return code;
    }
    let Some(name) = &inner.name else {
        return real!(inner, xTruncate, size);
    };
    let size = place(size);
    disk().with(name, |content| content.change(Change::Truncate { size }));
    ffi::SQLITE_OK
}

unsafe extern "C" fn sync(file: *mut sqlite3_file, flags: c_int) -> c_int {
    // SAFETY: SQLite's promise.
    let inner = unsafe { inner(file) };
    if let Some(code) = wrong(Op::Sync, inner, ffi::SQLITE_IOERR_FSYNC) {
        return code;
    }
    let Some(name) = &inner.name else {
        return real!(inner, xSync, flags);
    };
    // The machine that runs the tests keeps its power: what is written to the real file is safe.
    disk().with(name, |content| {
        let mut unsynced = content.take_unsynced().into_iter();
        unsynced
            .find_map(|change| apply(inner, &change))
            .unwrap_or(ffi::SQLITE_OK)
    })
}

/// `Some` is the code of what went wrong.
fn apply(inner: &Inner, change: &Change) -> Option<c_int> {
    let code = match change {
        Change::Write { at, bytes } => {
            let count = c_int::try_from(bytes.len()).unwrap_or(c_int::MAX);
            real!(inner, xWrite, bytes.as_ptr().cast(), count, length(*at))
        }
        Change::Truncate { size } => real!(inner, xTruncate, length(*size)),
    };
    (code != ffi::SQLITE_OK).then_some(code)
}

unsafe extern "C" fn file_size(file: *mut sqlite3_file, answer: *mut ffi::sqlite3_int64) -> c_int {
    // SAFETY: SQLite's promise.
    let inner = unsafe { inner(file) };
    if inner.name.is_none() {
        return real!(inner, xFileSize, answer);
    }
    // SAFETY: SQLite gives room for the answer.
    unsafe { *answer = size(inner) };
    ffi::SQLITE_OK
}

unsafe extern "C" fn lock(file: *mut sqlite3_file, level: c_int) -> c_int {
    // SAFETY: SQLite's promise.
    let inner = unsafe { inner(file) };
    match wrong(Op::Lock, inner, ffi::SQLITE_IOERR_LOCK) {
        Some(code) => code,
        None => real!(inner, xLock, level),
    }
}

unsafe extern "C" fn unlock(file: *mut sqlite3_file, level: c_int) -> c_int {
    // SAFETY: SQLite's promise.
    let inner = unsafe { inner(file) };
    real!(inner, xUnlock, level)
}

unsafe extern "C" fn check_reserved_lock(file: *mut sqlite3_file, answer: *mut c_int) -> c_int {
    // SAFETY: SQLite's promise.
    let inner = unsafe { inner(file) };
    real!(inner, xCheckReservedLock, answer)
}

unsafe extern "C" fn file_control(
    file: *mut sqlite3_file,
    what: c_int,
    argument: *mut c_void,
) -> c_int {
    // SAFETY: SQLite's promise.
    let inner = unsafe { inner(file) };
    if what == ffi::SQLITE_FCNTL_MMAP_SIZE {
        // The real file would map itself for nobody.
        return ffi::SQLITE_NOTFOUND;
    }
    real!(inner, xFileControl, what, argument)
}

unsafe extern "C" fn sector_size(file: *mut sqlite3_file) -> c_int {
    // SAFETY: SQLite's promise.
    let inner = unsafe { inner(file) };
    real!(inner, xSectorSize)
}

unsafe extern "C" fn device_characteristics(file: *mut sqlite3_file) -> c_int {
    // SAFETY: SQLite's promise.
    let inner = unsafe { inner(file) };
    real!(inner, xDeviceCharacteristics)
}

unsafe extern "C" fn shm_map(
    file: *mut sqlite3_file,
    region: c_int,
    size: c_int,
    extend: c_int,
    answer: *mut *mut c_void,
) -> c_int {
    // SAFETY: SQLite's promise.
    let inner = unsafe { inner(file) };
    real!(inner, xShmMap, region, size, extend, answer)
}

unsafe extern "C" fn shm_lock(
    file: *mut sqlite3_file,
    first: c_int,
    count: c_int,
    flags: c_int,
) -> c_int {
    // SAFETY: SQLite's promise.
    let inner = unsafe { inner(file) };
    let locks = flags & ffi::SQLITE_SHM_LOCK != 0;
    match locks
        .then(|| wrong(Op::Lock, inner, ffi::SQLITE_IOERR_SHMLOCK))
        .flatten()
    {
        Some(code) => code,
        None => real!(inner, xShmLock, first, count, flags),
    }
}

unsafe extern "C" fn shm_barrier(file: *mut sqlite3_file) {
    // SAFETY: SQLite's promise.
    let inner = unsafe { inner(file) };
    real!(inner, xShmBarrier);
}

unsafe extern "C" fn shm_unmap(file: *mut sqlite3_file, delete: c_int) -> c_int {
    // SAFETY: SQLite's promise.
    let inner = unsafe { inner(file) };
    real!(inner, xShmUnmap, delete)
}
