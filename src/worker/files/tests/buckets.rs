use std::fs;
use std::io::Read as _;
use std::os::unix::fs::symlink;
use std::path::Path;

use tempfile::TempDir;

use crate::worker::files::{Access, Buckets};

/// A bucket `in` in a folder beside a secret.
fn buckets() -> (TempDir, Buckets) {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("in/day1")).unwrap();
    fs::write(folder.path().join("in/day1/a.csv"), "inside").unwrap();
    fs::write(folder.path().join("secret"), "outside").unwrap();
    let mut buckets = Buckets::new();
    buckets.bind("in", folder.path().join("in"), Access::Read);
    (folder, buckets)
}

fn read(buckets: &Buckets, key: &str) -> Result<String, String> {
    let mut text = String::new();
    buckets.open("in", key)?.read_to_string(&mut text).unwrap();
    Ok(text)
}

#[test]
fn a_key_names_a_file_below_the_folder() {
    let (_folder, buckets) = buckets();
    assert_eq!(read(&buckets, "day1/a.csv").unwrap(), "inside");
    let absent = read(&buckets, "day1/b.csv").unwrap_err();
    assert_eq!(absent, "NoSuchKey: the bucket \"in\" has no file \"day1/b.csv\"");
    assert!(read(&buckets, "day1/a.csv/b").unwrap_err().starts_with("NoSuchKey"));
    assert!(read(&buckets, "day1").unwrap_err().contains("not a file"));
}

#[test]
fn hostile_keys_are_refused_before_the_disk_is_asked() {
    let (_folder, buckets) = buckets();
    let long = "x".repeat(1025);
    let keys = [
        "",
        "/etc/passwd",
        "../secret",
        "day1/../../secret",
        "day1/..",
        ".",
        "./day1/a.csv",
        "day1//a.csv",
        "day1/",
        "day1/a.csv\0.txt",
        &long,
    ];
    for key in keys {
        let refused = read(&buckets, key).unwrap_err();
        assert!(refused.contains("key"), "{key:?}: {refused}");
        assert!(!refused.contains("NoSuchKey"), "{key:?}: {refused}");
    }
    assert!(
        read(&buckets, "x/".repeat(511).trim_end_matches('/')).unwrap_err().contains("NoSuchKey")
    );
    // What is a name on this system, though it is none elsewhere, is just not there.
    assert!(read(&buckets, "..\\secret").unwrap_err().starts_with("NoSuchKey"));
}

#[test]
fn links_may_lead_about_in_the_bucket_and_not_out_of_it() {
    let (folder, buckets) = buckets();
    let inside = folder.path().join("in");
    symlink("day1/a.csv", inside.join("again")).unwrap();
    symlink(folder.path().join("secret"), inside.join("file_out")).unwrap();
    symlink(folder.path(), inside.join("folder_out")).unwrap();
    symlink("round", inside.join("round")).unwrap();
    symlink("nowhere", inside.join("broken")).unwrap();
    assert_eq!(read(&buckets, "again").unwrap(), "inside");
    for key in ["file_out", "folder_out/secret"] {
        assert!(read(&buckets, key).unwrap_err().starts_with("AccessDenied"), "{key}");
    }
    // Out and in again is inside.
    assert_eq!(read(&buckets, "folder_out/in/day1/a.csv").unwrap(), "inside");
    assert!(read(&buckets, "round").is_err());
    assert!(read(&buckets, "broken").unwrap_err().starts_with("NoSuchKey"));
}

#[test]
fn a_folder_with_a_longer_name_is_not_inside() {
    let (folder, mut buckets) = buckets();
    fs::write(folder.path().join("in_too"), "outside").unwrap();
    symlink(folder.path().join("in_too"), folder.path().join("in/near")).unwrap();
    assert!(read(&buckets, "near").unwrap_err().starts_with("AccessDenied"));
    // The bucket's own folder may be a link.
    symlink(folder.path().join("in"), folder.path().join("link")).unwrap();
    buckets.bind("in", folder.path().join("link"), Access::Read);
    assert_eq!(read(&buckets, "day1/a.csv").unwrap(), "inside");
}

#[test]
fn a_pipe_is_not_waited_for() {
    let (folder, buckets) = buckets();
    let path = folder.path().join("in/pipe");
    let made = std::process::Command::new("mkfifo").arg(&path).status().unwrap();
    assert!(made.success());
    assert!(read(&buckets, "pipe").unwrap_err().contains("is not a file"));
}

#[test]
fn an_unknown_bucket_is_refused_with_the_known_ones() {
    let (folder, mut buckets) = buckets();
    let unknown = |buckets: &Buckets| buckets.open("on", "a").unwrap_err();
    assert!(unknown(&buckets).contains("no bucket \"on\"; known here: \"in\"; correct"));
    assert!(unknown(&Buckets::new()).contains("none is bound"));
    for number in 0..30 {
        buckets.bind(format!("b{number:02}"), folder.path(), Access::Read);
    }
    let message = unknown(&buckets);
    assert!(message.contains("\"b19\", …") && !message.contains("\"b20\""), "{message}");
}

#[test]
fn a_missing_folder_is_said_without_its_path() {
    let mut buckets = Buckets::new();
    buckets.bind("in", "/nowhere/at/all", Access::Read);
    let message = read(&buckets, "a").unwrap_err();
    assert!(message.contains("the folder of the bucket \"in\" cannot be used"), "{message}");
    assert!(!message.contains("/nowhere"), "{message}");
}

#[test]
fn folders_are_made_only_where_writing_is_allowed() {
    let (folder, mut buckets) = buckets();
    let refused = buckets.make_folder("in", "a/b").unwrap_err();
    assert!(refused.starts_with("AccessDenied") && refused.contains("write = true"), "{refused}");
    buckets.bind("out", folder.path().join("new/out"), Access::ReadWrite);
    let made = buckets.make_folder("out", "a/b").unwrap();
    assert!(made.ends_with("new/out/a/b") && made.is_dir());
    assert_eq!(buckets.make_folder("out", "a/b").unwrap(), made);
    for key in ["../x", "/x", "a//b", "", "a/\0"] {
        assert!(buckets.make_folder("out", key).is_err(), "{key:?}");
    }
    fs::write(made.join("file"), "").unwrap();
    assert!(buckets.make_folder("out", "a/b/file/c").is_err());
    assert!(buckets.make_folder("out", "a/b/file").is_err());
}

#[test]
fn nothing_is_made_behind_a_link_that_leads_out() {
    let (folder, mut buckets) = buckets();
    let out = folder.path().join("out");
    fs::create_dir(&out).unwrap();
    symlink(folder.path(), out.join("up")).unwrap();
    buckets.bind("out", &out, Access::ReadWrite);
    assert!(buckets.make_folder("out", "up/made").unwrap_err().starts_with("AccessDenied"));
    assert!(!folder.path().join("made").exists());
    assert!(buckets.make_folder("out", "up/out/made").is_err());
    assert!(!Path::new(&out).join("made").exists());
}
