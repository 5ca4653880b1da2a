use std::fs;
use std::os::unix::fs::symlink;
use std::time::{Duration, UNIX_EPOCH};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::worker::files::list::list;
use crate::worker::files::{Access, Buckets, ReadLimits};

fn bucket(files: &[&str]) -> (TempDir, Buckets) {
    let folder = tempfile::tempdir().unwrap();
    for file in files {
        let path = folder.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, *file).unwrap();
    }
    let mut buckets = Buckets::new();
    buckets.bind("in", folder.path(), Access::Read);
    (folder, buckets)
}

fn listed(buckets: &Buckets, prefix: &str, most: u64, limits: ReadLimits) -> Result<Value, String> {
    list(buckets, ("in", prefix), most, limits, &mut |_, _| true)
        .map(|items| items.value())
        .map_err(|error| error.cause().to_owned())
}

fn keys(buckets: &Buckets, prefix: &str, most: u64) -> Vec<String> {
    let items = listed(buckets, prefix, most, ReadLimits::default()).unwrap();
    let key = |item: &Value| item["Key"].as_str().unwrap().to_owned();
    items.as_array().unwrap().iter().map(key).collect()
}

#[test]
fn a_file_is_described_in_the_words_of_s3() {
    let (folder, buckets) = bucket(&["day1/a.csv"]);
    let file = fs::File::options().append(true).open(folder.path().join("day1/a.csv")).unwrap();
    file.set_modified(UNIX_EPOCH + Duration::from_millis(1_668_699_881_500)).unwrap();
    let items = listed(&buckets, "", 0, ReadLimits::default()).unwrap();
    assert_eq!(
        items,
        json!([{
            "Etag": "\"172869b3798b3f00-a\"",
            "Key": "day1/a.csv",
            "LastModified": 1_668_699_881,
            "Size": 10,
            "StorageClass": "STANDARD",
        }])
    );
}

#[test]
fn keys_come_in_the_order_of_their_bytes_across_folders() {
    let (_folder, buckets) = bucket(&["a/b", "a-b", "a.b", "a0", "b/c/d", "b/c-d", "é", "Z"]);
    let all = keys(&buckets, "", 0);
    assert_eq!(all, ["Z", "a-b", "a.b", "a/b", "a0", "b/c-d", "b/c/d", "é"]);
    assert_eq!(keys(&buckets, "", 3), ["Z", "a-b", "a.b"]);
    assert_eq!(keys(&buckets, "", 4), ["Z", "a-b", "a.b", "a/b"]);
}

#[test]
fn a_prefix_is_the_beginning_of_a_key() {
    let (_folder, buckets) = bucket(&["day1/a", "day1/b/c", "day10/a", "day2", "d"]);
    assert_eq!(keys(&buckets, "day1", 0), ["day1/a", "day1/b/c", "day10/a"]);
    assert_eq!(keys(&buckets, "day1/", 0), ["day1/a", "day1/b/c"]);
    assert_eq!(keys(&buckets, "day1/b/c", 0), ["day1/b/c"]);
    assert_eq!(keys(&buckets, "day1/b/c/d", 0), [""; 0]);
    assert_eq!(keys(&buckets, "nothing/here", 0), [""; 0]);
    assert_eq!(keys(&buckets, "..", 0), [""; 0]);
    for hostile in ["../", "/", "/etc/", "day1//", "day1/../../", "a\0", &"x".repeat(1025)] {
        assert!(listed(&buckets, hostile, 0, ReadLimits::default()).is_err(), "{hostile:?}");
    }
}

#[test]
fn only_plain_complete_files_are_listed() {
    let (folder, buckets) = bucket(&["a", "b/c", "SUCCEEDED_0.json.everstep-part"]);
    let root = folder.path();
    symlink("a", root.join("link")).unwrap();
    symlink("/etc", root.join("out")).unwrap();
    symlink(root, root.join("b/round")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(root.join("socket")).unwrap();
    fs::create_dir(root.join("empty")).unwrap();
    assert_eq!(keys(&buckets, "", 0), ["a", "b/c"]);
    // A folder that was named is followed, but not out of the bucket.
    assert!(
        listed(&buckets, "out/", 0, ReadLimits::default()).unwrap_err().contains("AccessDenied")
    );
    assert_eq!(keys(&buckets, "b/round/b/", 0), ["b/round/b/c"]);
}

#[test]
fn lists_have_limits() {
    let (folder, buckets) = bucket(&["a", "b", "c", "d/e"]);
    let limits = ReadLimits { entries: 4, ..ReadLimits::default() };
    assert!(listed(&buckets, "", 0, limits).unwrap_err().contains("over 4 files and folders"));
    let limits = ReadLimits { items: 3, ..ReadLimits::default() };
    assert!(listed(&buckets, "", 0, limits).unwrap_err().contains("over 3 items"));
    let limits = ReadLimits { result_bytes: 200, ..ReadLimits::default() };
    assert!(listed(&buckets, "", 0, limits).unwrap_err().contains("over 200 bytes"));
    fs::create_dir_all(folder.path().join("x/".repeat(130))).unwrap();
    assert!(listed(&buckets, "", 0, ReadLimits::default()).unwrap_err().contains("nested"));
    let long = "n".repeat(250);
    let deep = folder.path().join([long.as_str(); 4].join("/"));
    fs::create_dir_all(&deep).unwrap();
    fs::write(deep.join("n".repeat(30)), "").unwrap();
    assert!(listed(&buckets, "n", 0, ReadLimits::default()).unwrap_err().contains("1024 bytes"));
}

#[test]
fn a_name_that_is_no_text_is_not_passed_over() {
    use std::os::unix::ffi::OsStrExt as _;
    let (folder, buckets) = bucket(&["a"]);
    fs::write(folder.path().join(std::ffi::OsStr::from_bytes(b"\xff")), "").unwrap();
    let refused = listed(&buckets, "", 0, ReadLimits::default()).unwrap_err();
    assert!(refused.contains("is not UTF-8 text"), "{refused}");
}
