use std::io::{self, BufReader, Read};

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::language::distributed::{CsvDelimiter, InputType, ReaderConfig};
use crate::worker::JobError;
use crate::worker::files::{ReadLimits, cut_items};

fn config(input_type: InputType) -> ReaderConfig {
    ReaderConfig { input_type: Some(input_type), ..ReaderConfig::default() }
}

fn cut_with(content: &[u8], config: &ReaderConfig, limits: ReadLimits) -> Result<Value, JobError> {
    cut_items(content, config, limits, &mut |_, _| true).map(|items| items.value())
}

fn cut(content: &str, config: &ReaderConfig) -> Result<Value, String> {
    cut_with(content.as_bytes(), config, ReadLimits::default()).map_err(|error| {
        assert_eq!(error.error(), "States.ItemReaderFailed");
        error.cause().to_owned()
    })
}

fn csv(content: &str) -> Value {
    cut(content, &config(InputType::Csv)).unwrap()
}

#[test]
fn the_example_of_aws_gives_the_items_of_aws() {
    let headers = ["MyLetters", "MyNumbers", "MyString", "MyObject", "MyArray"];
    let config = ReaderConfig {
        csv_headers: Some(headers.map(str::to_owned).to_vec()),
        ..config(InputType::Csv)
    };
    let content = "abc,123,\"This string contains commas, a double quotation marks (\"\"), and a newline (\n)\",{\"\"MyKey\"\":\"\"MyValue\"\"},\"[1,2,3]\"";
    assert_eq!(
        cut(content, &config).unwrap(),
        json!([{
            "MyLetters": "abc",
            "MyNumbers": "123",
            "MyString": "This string contains commas, a double quotation marks (\"), and a newline (\n)",
            "MyObject": "{\"MyKey\":\"MyValue\"}",
            "MyArray": "[1,2,3]",
        }])
    );
}

#[test]
fn backslashes_escape_what_aws_says_and_vanish_elsewhere() {
    let path = csv("path,size\nC:\\\\Program Files\\\\MyApp.exe,6534512\n");
    assert_eq!(path, json!([{"path": "C:\\Program Files\\MyApp.exe", "size": "6534512"}]));
    assert_eq!(csv("a,b\nx\\,y,\\z\n"), json!([{"a": "x,y", "b": "z"}]));
    assert_eq!(csv("a,b\n\"\\\"x\\\"\",\\\"y\n"), json!([{"a": "\"x\"", "b": "\"y"}]));
    assert_eq!(csv("a\nx\\"), json!([{"a": "x"}]));
    // Before a line end too: the row ends all the same.
    assert_eq!(csv("a\nx\\\ny\n"), json!([{"a": "x"}, {"a": "y"}]));
}

#[test]
fn missing_fields_are_empty_and_extra_ones_are_left_out() {
    assert_eq!(
        csv("a,b,c\n1\n1,2,3,4,5\n,,\n"),
        json!([
            {"a": "1", "b": "", "c": ""},
            {"a": "1", "b": "2", "c": "3"},
            {"a": "", "b": "", "c": ""},
        ])
    );
}

#[test]
fn rows_end_in_every_way_and_empty_lines_are_no_rows() {
    assert_eq!(
        csv("\u{feff}a\r\n\r\n1\r\n\n2\n\n\"\"\n   \n3\r4"),
        json!([{"a": "1"}, {"a": "2"}, {"a": ""}, {"a": "   "}, {"a": "3"}, {"a": "4"}])
    );
    assert_eq!(csv(""), json!([]));
    assert_eq!(csv("a,b\n"), json!([]));
}

#[test]
fn quotation_marks_are_read_wherever_they_stand() {
    assert_eq!(csv("a,b\n\"x\" y,z\"w\n"), json!([{"a": "x y", "b": "z\"w"}]));
    assert_eq!(csv("a\n\"\"\"x\"\"\"\n"), json!([{"a": "\"x\""}]));
    assert_eq!(csv("a,b\n\"1\n,2\r\n\",3\n"), json!([{"a": "1\n,2\r\n", "b": "3"}]));
    let never = cut("a\n\"x\n1\n2\n", &config(InputType::Csv)).unwrap_err();
    assert!(never.contains("row 2 is never closed"), "{never}");
}

#[test]
fn every_delimiter_separates() {
    let cases = [
        (CsvDelimiter::Pipe, '|'),
        (CsvDelimiter::Semicolon, ';'),
        (CsvDelimiter::Space, ' '),
        (CsvDelimiter::Tab, '\t'),
    ];
    for (csv_delimiter, sign) in cases {
        let config = ReaderConfig { csv_delimiter, ..config(InputType::Csv) };
        let content = format!("a{sign}b\n1,5{sign}x\\{sign}y\n");
        assert_eq!(
            cut(&content, &config).unwrap(),
            json!([{"a": "1,5", "b": format!("x{sign}y")}])
        );
    }
}

#[test]
fn two_columns_of_one_name_are_refused() {
    let twice = cut("a,b,a\n1,2,3\n", &config(InputType::Csv)).unwrap_err();
    assert!(twice.starts_with("CSV headers cannot contain duplicates."), "{twice}");
    let given =
        ReaderConfig { csv_headers: Some(vec!["a".into(), "a".into()]), ..config(InputType::Csv) };
    assert!(cut("1,2\n", &given).is_err());
}

#[test]
fn a_line_of_jsonl_is_an_item() {
    let jsonl = config(InputType::Jsonl);
    let content = "\u{feff}{\"a\": 1.50, \"b\": \" x \"}\r\n\n  \n[1, 2]\nnull\n\"x\"";
    assert_eq!(cut(content, &jsonl).unwrap(), json!([{"a": 1.5, "b": " x "}, [1, 2], null, "x"]));
    let items = cut_items(content.as_bytes(), &jsonl, ReadLimits::default(), &mut |_, _| true);
    assert_eq!(items.unwrap().as_str(), "[{\"a\":1.50,\"b\":\" x \"},[1,2],null,\"x\"]");
    assert_eq!(cut("", &jsonl).unwrap(), json!([]));
    for (broken, line) in [("1\n{\n", 2), ("\n\n1 2\n", 3), ("\"\\ud800\"", 1), ("1e999", 1)] {
        let cause = cut(broken, &jsonl).unwrap_err();
        assert!(cause.starts_with(&format!("line {line}: item")), "{cause}");
    }
}

#[test]
fn json_gives_the_elements_of_an_array_as_they_stand() {
    let json = config(InputType::Json);
    let content = " [ 1.0, 12345678901234567890123 , {\"a b\": [ ] } ]\n";
    let items = cut_items(content.as_bytes(), &json, ReadLimits::default(), &mut |_, _| true);
    assert_eq!(items.unwrap().as_str(), "[1.0,12345678901234567890123,{\"a b\":[]}]");
    assert_eq!(cut("[]", &json).unwrap(), json!([]));
    assert_eq!(
        cut("{\"b\": 1, \"a\": [2]}", &json).unwrap(),
        json!([{"Key": "b", "Value": 1}, {"Key": "a", "Value": [2]}])
    );
    for nothing in ["1", "\"x\"", "null", "true", "-0.5"] {
        let cause = cut(nothing, &json).unwrap_err();
        assert!(cause.starts_with("Attempting to map over non-iterable node."), "{cause}");
    }
    for broken in ["", "[1", "[1] 2", "[\"\\ud800\"]", "{\"a\":1e999}"] {
        assert!(cut(broken, &json).is_err(), "{broken}");
    }
}

#[test]
fn a_pointer_leads_to_the_items() {
    let at = |pointer: &str| {
        let config =
            ReaderConfig { items_pointer: Some(pointer.to_owned()), ..config(InputType::Json) };
        cut(
            r#"{"a": {"b/c": [[1], [2, 3]], "": [4], "~": {"k": 5}}, "a": {"b/c": [[6]]}, "n": 7}"#,
            &config,
        )
    };
    // The last of two keys counts, as everywhere.
    assert_eq!(at("/a/b~1c/0").unwrap(), json!([6]));
    let lost = at("/a/b~1c/1").unwrap_err();
    assert!(lost.starts_with("The provided ReaderConfig.ItemsPointer does not match"), "{lost}");
    for nowhere in ["/x", "/n/0", "/a/b~1c/00", "/a/b~1c/-", "/a/"] {
        assert!(at(nowhere).is_err(), "{nowhere}");
    }
    assert!(at("a").unwrap_err().contains("write \"/a\""));
    assert!(at("/n").unwrap_err().starts_with("Attempting to map"));
    assert_eq!(at("").unwrap().as_array().unwrap().len(), 3);
}

#[test]
fn no_more_is_read_than_is_wanted() {
    let endless = |line: &'static [u8]| BufReader::new(Endless { line, at: 0 });
    let two = |input_type| ReaderConfig { max_items: 2, ..config(input_type) };
    let limits = ReadLimits::default();
    let items = cut_items(endless(b"1\n"), &two(InputType::Jsonl), limits, &mut |_, _| true);
    assert_eq!(items.unwrap().value(), json!([1, 1]));
    let items = cut_items(endless(b"a\n"), &two(InputType::Csv), limits, &mut |_, _| true);
    assert_eq!(items.unwrap().value(), json!([{"a": "a"}, {"a": "a"}]));
    // What follows in a JSON file has to be JSON, and is no item.
    assert_eq!(cut("[1, 2, {\"x\": 3}]", &two(InputType::Json)).unwrap(), json!([1, 2]));
    assert_eq!(
        cut("{\"a\": 1, \"b\": 2, \"c\": 3}", &two(InputType::Json)).unwrap()[1]["Key"],
        "b"
    );
}

#[test]
fn every_limit_is_held_and_named() {
    let limits =
        ReadLimits { file_bytes: 40, line_bytes: 20, items: 3, result_bytes: 30, entries: 9 };
    let fails = |content: &str, input_type| {
        let cut = cut_with(content.as_bytes(), &config(input_type), limits);
        cut.unwrap_err().cause().to_owned()
    };
    let (lines, rows, array) = (InputType::Jsonl, InputType::Csv, InputType::Json);
    assert!(fails("1\n2\n3\n4\n", lines).contains("over 3 items"));
    assert!(fails("[1,2,3,4]", array).contains("over 3 items"));
    assert!(fails(&"1".repeat(21), lines).contains("over 20 bytes"));
    assert!(fails(&format!("a\n{}\n", "1".repeat(20)), rows).contains("over 20 bytes"));
    assert!(fails(&format!("a\n\"{}", "\n".repeat(30)), rows).contains("over 20 bytes"));
    assert!(fails(&format!("[{}]", " ".repeat(40)), array).contains("over 40 bytes"));
    assert!(fails(&"\n".repeat(41), lines).contains("over 40 bytes"));
    assert!(fails(&"\n".repeat(41), rows).contains("over 40 bytes"));
    assert!(fails("\"1234567890\"\n\"12345678901234\"\n", lines).contains("as JSON"));
    assert!(fails("a\n123456789\n123456789\n", rows).contains("as JSON"));
    let two = ReadLimits { items: 2, ..limits };
    let rows_over = cut_with(b"a\n1\n2\n3\n", &config(rows), two).unwrap_err();
    assert!(rows_over.cause().contains("over 2 items"), "{rows_over:?}");
    assert!(cut_with(b"a\n1\n2\n", &config(rows), two).is_ok());
    let one_large = format!("[{}]", "1".repeat(31));
    assert!(fails(&one_large, array).contains("over 30 bytes as JSON"));
    // Exactly at the limits.
    assert!(cut_with(b"1\n2\n3\n", &config(lines), limits).is_ok());
    assert!(cut_with(b"\"123456789012\"\n1234567890123\n", &config(lines), limits).is_ok());
}

#[test]
fn items_that_are_nested_too_deep_are_refused() {
    let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    assert!(cut(&deep(126), &config(InputType::Jsonl)).is_ok());
    assert!(cut(&deep(127), &config(InputType::Jsonl)).is_err());
    assert!(cut(&deep(100_000), &config(InputType::Jsonl)).is_err());
    assert!(cut(&deep(100_000), &config(InputType::Json)).is_err());
    let config =
        ReaderConfig { items_pointer: Some("/0".repeat(60_000)), ..config(InputType::Json) };
    assert!(cut(&deep(500), &config).is_err());
}

#[test]
fn what_is_no_text_is_refused_with_its_place() {
    for (input_type, place) in
        [(InputType::Csv, "row 2"), (InputType::Jsonl, "line 2"), (InputType::Json, "the file")]
    {
        let cut = cut_with(b"1\n\xff\n", &config(input_type), ReadLimits::default());
        let error = cut.unwrap_err();
        assert!(error.cause().starts_with(place) && error.cause().contains("UTF-8"), "{error:?}");
    }
}

#[test]
fn reading_stops_when_it_is_asked_to() {
    let content = "1\n".repeat(5000);
    let mut seen = Vec::new();
    let stopped = cut_items(
        content.as_bytes(),
        &config(InputType::Jsonl),
        ReadLimits::default(),
        &mut |items, bytes| {
            seen.push((items, bytes));
            seen.len() < 2
        },
    );
    assert_eq!(stopped.unwrap_err(), JobError::cancelled());
    assert_eq!(seen, [(1024, 2048), (2048, 4096)]);
}

#[test]
fn a_file_that_cannot_be_read_on_says_why() {
    let broken = BufReader::new(b"1\n2\n".chain(Broken));
    let failed =
        cut_items(broken, &config(InputType::Jsonl), ReadLimits::default(), &mut |_, _| true);
    assert_eq!(failed.unwrap_err().cause(), "the file cannot be read: the disk is gone");
}

/// The same line for ever.
struct Endless {
    line: &'static [u8],
    at: usize,
}

impl Read for Endless {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        for byte in buffer.iter_mut() {
            *byte = self.line[self.at % self.line.len()];
            self.at += 1;
        }
        Ok(buffer.len())
    }
}

struct Broken;

impl Read for Broken {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::Error::other("the disk is gone"))
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    #[test]
    fn no_bytes_make_the_cutters_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        crate::testing::fuzz::cut_items(&bytes);
    }

    #[test]
    fn rows_that_are_written_by_the_rules_are_read_back(
        rows in prop::collection::vec(prop::collection::vec("[a-z,\"\\\\ \n\r]{0,6}", 2), 0..8),
    ) {
        let mut content = String::from("a,b\n");
        for row in &rows {
            let fields = row.iter().map(|field| {
                format!("\"{}\"", field.replace('\\', "\\\\").replace('"', "\"\""))
            });
            content.push_str(&fields.collect::<Vec<_>>().join(","));
            content.push('\n');
        }
        let wanted: Vec<Value> =
            rows.iter().map(|row| json!({"a": row[0], "b": row[1]})).collect();
        prop_assert_eq!(csv(&content), Value::from(wanted));
    }
}
