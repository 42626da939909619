//! Files and folders that cannot be a store: each gets a clear error and stays as it was.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use afterhours::rusqlite::Connection;
use afterhours::{Client, Error, Result};

use crate::support::Folder;
use crate::support::process::{Process, worker};

async fn refused(path: &Path) -> Error {
    let opened = Client::open(path).await;
    let error = opened.expect_err("it cannot be opened");
    let (text, name) = (error.to_string(), path.display().to_string());
    assert!(
        text.contains(&name) || matches!(error, Error::SchemaTooNew { .. }),
        "{text}"
    );
    error
}

fn names(folder: &Folder) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder.path())? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

#[tokio::test]
async fn a_folder_that_does_not_exist_is_named() -> Result {
    let folder = Folder::new()?;
    let error = refused(&folder.path().join("nowhere/jobs.db")).await;
    assert!(error.to_string().contains("create it first"), "{error}");
    assert!(names(&folder)?.is_empty());
    Ok(())
}

#[tokio::test]
async fn a_folder_in_place_of_the_file_is_refused() -> Result {
    let folder = Folder::new()?;
    let error = refused(&folder.path()).await;
    assert!(error.to_string().contains("it is a folder"), "{error}");
    assert!(names(&folder)?.is_empty());
    Ok(())
}

#[tokio::test]
async fn a_folder_that_everybody_can_write_to_is_refused() -> Result {
    let folder = Folder::new()?;
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777))?;
    let error = refused(&folder.store()).await;
    assert!(error.to_string().contains("chmod o-w"), "{error}");
    assert!(!folder.store().exists());
    // With the sticky bit, as on `/tmp`, nobody can replace the file of another.
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o1777))?;
    Client::open(folder.store()).await?;
    Ok(())
}

#[tokio::test]
async fn a_file_that_is_no_database_stays_as_it_was() -> Result {
    let folder = Folder::new()?;
    let text = b"Dear diary, this is no database, although it is rather long. ".repeat(100);
    fs::write(folder.store(), &text)?;
    let error = refused(&folder.store()).await;
    assert!(matches!(error, Error::NotADatabase { .. }), "{error}");
    assert_eq!(fs::read(folder.store())?, text);
    Ok(())
}

#[tokio::test]
async fn a_store_of_a_newer_build_stays_as_it_was() -> Result {
    let folder = Folder::new()?;
    let conn = Connection::open(folder.store())?;
    conn.execute_batch(
        "CREATE TABLE afterhours_meta (key TEXT PRIMARY KEY, value ANY NOT NULL) STRICT, WITHOUT ROWID;
         INSERT INTO afterhours_meta VALUES ('schema', 999);
         CREATE TABLE afterhours_runs (something_new TEXT);",
    )?;
    conn.close().map_err(|(_, error)| error)?;
    let before = fs::read(folder.store())?;
    let error = refused(&folder.store()).await;
    let newer = matches!(error, Error::SchemaTooNew { found: 999, known } if known < 999);
    assert!(newer, "{error}");
    assert!(error.to_string().contains("newer build"), "{error}");
    assert_eq!(fs::read(folder.store())?, before);
    let migrated = Client::migrate(folder.store()).await;
    assert!(matches!(migrated, Err(Error::SchemaTooNew { .. })));
    Ok(())
}

#[tokio::test]
async fn a_damaged_database_is_refused() -> Result {
    let folder = Folder::new()?;
    Client::migrate(folder.store()).await?;
    let mut bytes = fs::read(folder.store())?;
    for byte in &mut bytes[100..] {
        *byte = 0xa5;
    }
    fs::write(folder.store(), &bytes)?;
    let error = refused(&folder.store()).await;
    assert!(error.to_string().contains("damaged"), "{error}");
    assert_eq!(fs::read(folder.store())?, bytes);
    Ok(())
}

/// Opens as a user who owns nothing; says what came of it.
fn opened_by_nobody(folder: &Folder) -> Result<String> {
    let process = Process::start(worker().arg("open-as-nobody").arg(folder.store()))?;
    Ok(process.line())
}

#[tokio::test]
async fn a_file_without_the_right_to_write_is_read_only() -> Result {
    if !nix::unistd::geteuid().is_root() {
        // Without root nobody can become another user; the next test needs it as well.
        return Ok(());
    }
    let folder = Folder::new()?;
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755))?;
    // A database of the application, not yet in WAL mode.
    let conn = Connection::open(folder.store())?;
    conn.execute_batch("CREATE TABLE notes (text TEXT)")?;
    conn.close().map_err(|(_, error)| error)?;
    fs::set_permissions(folder.store(), fs::Permissions::from_mode(0o444))?;
    let before = fs::read(folder.store())?;
    let answer = opened_by_nobody(&folder)?;
    assert!(answer.contains("is read-only"), "{answer}");
    assert!(
        answer.contains(&folder.store().display().to_string()),
        "{answer}"
    );
    assert_eq!(fs::read(folder.store())?, before);
    Ok(())
}

#[tokio::test]
async fn a_store_without_the_right_to_write_says_so() -> Result {
    if !nix::unistd::geteuid().is_root() {
        return Ok(());
    }
    let folder = Folder::new()?;
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755))?;
    Client::migrate(folder.store()).await?;
    fs::set_permissions(folder.store(), fs::Permissions::from_mode(0o444))?;
    let before = fs::read(folder.store())?;
    let answer = opened_by_nobody(&folder)?;
    let is_clear = answer.contains("read-only") || answer.contains("may not read and write");
    assert!(is_clear, "{answer}");
    assert_eq!(fs::read(folder.store())?, before);
    Ok(())
}

#[tokio::test]
async fn two_users_cannot_share_a_store() -> Result {
    if !nix::unistd::geteuid().is_root() {
        return Ok(());
    }
    let folder = Folder::new()?;
    Client::open(folder.store()).await?.close().await?;
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o1777))?;
    fs::set_permissions(folder.store(), fs::Permissions::from_mode(0o666))?;
    let answer = opened_by_nobody(&folder)?;
    assert!(
        answer.contains("-afterhours.lock` belongs to another user"),
        "{answer}"
    );
    Ok(())
}
