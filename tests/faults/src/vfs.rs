//! The VFS: opening, deleting and asking for files. All else is the default VFS's.

use std::ffi::{CStr, c_char, c_int};
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

use rusqlite::ffi;

use crate::disk::disk;
use crate::fault::{Action, Op, Which};
use crate::file::{self, FaultFile, Inner};

const NAME: &CStr = c"afterhours-faults";
/// Files that outlive the connection; of others a power cut leaves nothing in any case.
const LASTING: c_int =
    ffi::SQLITE_OPEN_MAIN_DB | ffi::SQLITE_OPEN_WAL | ffi::SQLITE_OPEN_MAIN_JOURNAL;

/// The VFS that was the default before; set before ours is registered, and never freed.
static REAL: AtomicPtr<ffi::sqlite3_vfs> = AtomicPtr::new(ptr::null_mut());

pub(crate) fn register() -> Result<(), String> {
    // SAFETY: no name asks for the default VFS; the answer is null or a VFS that lives as long as the process.
    let real = unsafe { ffi::sqlite3_vfs_find(ptr::null()) };
    if real.is_null() {
        return Err("SQLite has no VFS".to_owned());
    }
    // SAFETY: `real` is not null, and SQLite does not change a registered VFS but for `pNext`, under its own lock;
    // nothing else registers one at the start of a process. The fields are plain data.
    let mut ours = unsafe { *real };
    if ours.zName == NAME.as_ptr() {
        return Err("the faults are installed already".to_owned());
    }
    REAL.store(real, Ordering::Release);
    ours.szOsFile += file::SIZE;
    ours.zName = NAME.as_ptr();
    ours.pNext = ptr::null_mut();
    // The methods that stay are the real ones. They read `pAppData` and `mxPathname` of the VFS they are given at
    // most, and those are the same here.
    ours.xOpen = Some(open);
    ours.xDelete = Some(delete);
    ours.xAccess = Some(access);
    // SAFETY: the VFS is never freed, its methods are as SQLite wants them, and its name is static.
    let code = unsafe { ffi::sqlite3_vfs_register(Box::leak(Box::new(ours)), 1) };
    match code {
        ffi::SQLITE_OK => Ok(()),
        code => Err(format!("SQLite does not take the faults: error {code}")),
    }
}

fn real() -> *mut ffi::sqlite3_vfs {
    REAL.load(Ordering::Acquire)
}

unsafe extern "C" fn open(
    _: *mut ffi::sqlite3_vfs,
    name: ffi::sqlite3_filename,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    flags_out: *mut c_int,
) -> c_int {
    let which = which(flags);
    match disk().meets(Op::Open, which) {
        None | Some(Action::Full) => {}
        Some(Action::Fail) => {
            // SAFETY: SQLite gives room for a file; without methods it will not close it.
            unsafe { (*file).pMethods = ptr::null() };
            return ffi::SQLITE_CANTOPEN;
        }
        Some(action @ (Action::Exit | Action::CutPower)) => file::die(action),
    }
    // SAFETY: SQLite gives room for `szOsFile` bytes, aligned for any of its structures: `SIZE` for a `FaultFile`, and
    // what the real VFS asks for behind it. `SIZE` is a multiple of 8.
    let behind = unsafe { file.byte_offset(file::SIZE as isize) };
    // SAFETY: a VFS that could be registered can open, and gets its own VFS and what SQLite gave.
    let code = unsafe {
        match (*real()).xOpen {
            Some(open) => open(real(), name, behind, flags, flags_out),
            None => ffi::SQLITE_CANTOPEN,
        }
    };
    let lasting = disk().forgets() && flags & LASTING != 0;
    // SAFETY: SQLite gives a name that ends with a zero, or null.
    let name = unsafe { text(name) }.filter(|_| lasting);
    let inner = Inner {
        real: behind,
        name,
        which,
    };
    // SAFETY: the room is there, as above, and nothing was written to its first part.
    unsafe { file.cast::<FaultFile>().write(FaultFile::new(code, inner)) };
    // SAFETY: the file was just written.
    match code {
        ffi::SQLITE_OK => unsafe { file::remember(file) },
        code => code,
    }
}

unsafe extern "C" fn delete(
    _: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    sync_folder: c_int,
) -> c_int {
    // SAFETY: SQLite gives a name that ends with a zero.
    if let Some(name) = unsafe { text(name) } {
        disk().delete(&name);
    }
    // SAFETY: the real VFS gets its own VFS and what SQLite gave.
    unsafe {
        match (*real()).xDelete {
            Some(delete) => delete(real(), name, sync_folder),
            None => ffi::SQLITE_IOERR_DELETE,
        }
    }
}

unsafe extern "C" fn access(
    _: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    flags: c_int,
    answer: *mut c_int,
) -> c_int {
    // SAFETY: SQLite gives a name that ends with a zero.
    let has_content = unsafe { text(name) }.is_some_and(|name| disk().has_content(&name));
    if flags == ffi::SQLITE_ACCESS_EXISTS && has_content {
        // On the real disk it is empty until it is synced, and an empty file does not count.
        // SAFETY: SQLite gives room for the answer.
        unsafe { *answer = 1 };
        return ffi::SQLITE_OK;
    }
    // SAFETY: the real VFS gets its own VFS and what SQLite gave.
    unsafe {
        match (*real()).xAccess {
            Some(access) => access(real(), name, flags, answer),
            None => ffi::SQLITE_IOERR_ACCESS,
        }
    }
}

/// Journals and temporary files meet only what is to go wrong with any file.
fn which(flags: c_int) -> Which {
    if flags & ffi::SQLITE_OPEN_MAIN_DB != 0 {
        Which::Main
    } else if flags & ffi::SQLITE_OPEN_WAL != 0 {
        Which::Wal
    } else {
        Which::Any
    }
}

/// A name as text, which it is in the tests.
///
/// # Safety
/// `name` must be null, or end with a zero.
unsafe fn text(name: *const c_char) -> Option<String> {
    if name.is_null() {
        return None;
    }
    // SAFETY: as the caller says.
    let name = unsafe { CStr::from_ptr(name) };
    Some(name.to_string_lossy().into_owned())
}
