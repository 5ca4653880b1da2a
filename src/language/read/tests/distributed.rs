//! Distributed Maps, and Tasks that start executions.

use super::{check_json, expect, list};
use crate::language::diagnostic::codes;
use crate::language::distributed::{
    CsvDelimiter, Distributed, InputType, ItemSource, OutputType, Transformation,
};
use crate::language::model::{Map, Number, Pattern, Service, StateKind, Task};
use crate::language::{Diagnostic, Format, Workflow};

const FILE: &str = r#""Resource":"s3:getObject","Parameters":{"Bucket":"b","Key":"k"}"#;
const LIST: &str = r#""Resource":"s3:listObjectsV2","Parameters":{"Bucket":"b"}"#;
const CSV: &str = r#""InputType":"CSV","CSVHeaderLocation":"FIRST_ROW""#;

/// A definition with one distributed Map, `A`, and more fields of it.
fn map(fields: &str) -> String {
    format!(
        r#"{{"StartAt":"A","States":{{"A":{{"Type":"Map",{fields}"End":true,"ItemProcessor":{{"ProcessorConfig":{{"Mode":"DISTRIBUTED","ExecutionType":"EXPRESS"}},"StartAt":"B","States":{{"B":{{"Type":"Succeed"}}}}}}}}}}}}"#
    )
}

fn reader(fields: &str) -> String {
    map(&format!(r#""ItemReader":{{{fields}}},"#))
}

fn writer(fields: &str) -> String {
    map(&format!(r#""ResultWriter":{{{fields}}},"#))
}

/// A reader of a file with this `ReaderConfig`.
fn config(fields: &str) -> String {
    reader(&format!(r#"{FILE},"ReaderConfig":{{{fields}}}"#))
}

fn jsonata(definition: &str) -> String {
    definition.replacen('{', r#"{"QueryLanguage":"JSONata","#, 1).replace("Parameters", "Arguments")
}

/// A Task that starts an execution, with these fields.
fn start(fields: &str) -> String {
    format!(
        r#"{{"StartAt":"A","States":{{¦"A":{{"Type":"Task","Resource":"states:startExecution",{fields}"End":true}}}}}}"#
    )
}

fn sound(text: &str) -> Workflow {
    let checked = check_json(text);
    assert!(checked.diagnostics.is_empty(), "{text}\n{}", list(&checked.diagnostics));
    checked.workflow.unwrap()
}

fn read_map(text: &str) -> Map {
    let workflow = sound(text);
    let StateKind::Map(map) = &workflow.state("A").unwrap().kind else { panic!("no Map") };
    (**map).clone()
}

fn distributed(text: &str) -> Distributed {
    *read_map(text).distributed.unwrap()
}

fn task(text: &str) -> Task {
    let workflow = sound(text);
    let StateKind::Task(task) = &workflow.state("A").unwrap().kind else { panic!("no Task") };
    task.clone()
}

fn faulty(code: &str, text: &str) -> Diagnostic {
    expect(text, Format::Json, code)
}

#[test]
fn a_distributed_map_is_read_with_its_label() {
    let read = distributed(&map(r#""Label":"my-Map_1","#));
    assert_eq!(read.label.as_deref(), Some("my-Map_1"));
    assert!(read.reader.is_none() && read.writer.is_none());
    for execution_type in ["", r#","ExecutionType":"STANDARD""#] {
        let text = map("").replace(r#","ExecutionType":"EXPRESS""#, execution_type);
        assert!(read_map(&text).distributed.is_some(), "{text}");
    }
    assert!(
        read_map(&map("").replace("DISTRIBUTED\",\"ExecutionType\":\"EXPRESS", "INLINE"))
            .distributed
            .is_none()
    );
}

#[test]
fn labels_are_short_and_plain() {
    for label in ["", "a b", "a/b?", "a:b", "a\\\"b", "a\\u007fb", "{a}", "a\\\\b"] {
        faulty(codes::NAME, &map(&format!("\"Label\":¦\"{label}\",")));
    }
    faulty(codes::NAME, &map(&format!("\"Label\":¦\"{}\",", "l".repeat(41))));
    distributed(&map(&format!("\"Label\":\"{}\",", "ä".repeat(40))));
}

#[test]
fn fields_of_distributed_maps_are_refused_on_inline_ones() {
    let inline = |fields: &str| {
        map(fields).replace("\"Mode\":\"DISTRIBUTED\",\"ExecutionType\":\"EXPRESS\"", "")
    };
    for field in [
        format!("¦\"ItemReader\":{{{LIST}}},"),
        "¦\"ResultWriter\":{\"WriterConfig\":{}},".to_owned(),
        "¦\"Label\":\"l\",".to_owned(),
    ] {
        let found = faulty(codes::FIELD_NOT_ALLOWED, &inline(&field));
        assert!(found.hint.unwrap().contains("DISTRIBUTED"));
    }
    let text = map("").replace("\"Mode\":\"DISTRIBUTED\",", "¦");
    faulty(codes::FIELD_NOT_ALLOWED, &text);
    faulty(codes::VALUE, &map("").replace("\"EXPRESS\"", "¦\"FAST\""));
}

#[test]
fn items_are_read_from_a_file_of_each_type() {
    let read = |text: &str| distributed(text).reader.unwrap();
    let json = read(&config(r#""InputType":"JSON","ItemsPointer":"/a~1b/0","MaxItems":5"#));
    assert_eq!(json.source, ItemSource::Object);
    assert_eq!(json.config.input_type, Some(InputType::Json));
    assert_eq!(json.config.items_pointer.as_deref(), Some("/a~1b/0"));
    assert!(matches!(json.max_items, Some(Number::Fixed(5))));
    assert_eq!(json.config.csv_delimiter, CsvDelimiter::Comma);
    let lines = read(&config(r#""InputType":"JSONL","MaxItemsPath":"$.n""#));
    assert_eq!(lines.config.input_type, Some(InputType::Jsonl));
    assert!(matches!(&lines.max_items, Some(Number::Computed(path)) if path.source() == "$.n"));
    let given = config(
        r#""InputType":"CSV","CSVHeaderLocation":"GIVEN","CSVHeaders":["a","b"],"CSVDelimiter":"TAB""#,
    );
    let csv = read(&given).config;
    assert_eq!(csv.csv_headers.unwrap(), ["a", "b"]);
    assert_eq!((csv.input_type, csv.csv_delimiter), (Some(InputType::Csv), CsvDelimiter::Tab));
    let first = config(&format!(r#"{CSV},"Transformation":"NONE""#));
    assert!(read(&first).config.csv_headers.is_none());
    let computed = jsonata(&config(r#""InputType":"JSON","MaxItems":"{% $states.input.n %}""#))
        .replace(r#"{"Bucket":"b","Key":"k"}"#, r#""{% $states.input %}""#);
    assert!(matches!(read(&computed).max_items, Some(Number::Computed(_))));
}

#[test]
fn files_are_listed_with_or_without_an_arn() {
    for resource in ["s3:listObjectsV2", "arn:aws:states:::s3:listObjectsV2"] {
        let text = reader(&LIST.replace("s3:listObjectsV2", resource));
        let read = distributed(&text).reader.unwrap();
        assert_eq!((read.source, read.config.input_type), (ItemSource::List, None));
    }
    distributed(&reader(&format!(r#"{LIST},"ReaderConfig":{{"MaxItems":0}}"#)));
    distributed(&reader(
        r#""Resource":"s3:listObjectsV2","Parameters":{"Bucket.$":"$.b","Prefix.$":"$.p"}"#,
    ));
    let text = reader(&format!(r#"{LIST},"ReaderConfig":{{¦"InputType":"JSON"}}"#));
    faulty(codes::NO_EFFECT, &text);
}

#[test]
fn items_that_are_read_come_before_those_of_the_input() {
    let both = map(&format!(r#"¦"ItemsPath":"$.items","ItemReader":{{{LIST}}},"#));
    faulty(codes::NO_EFFECT, &both);
    let workflow = check_json(&both.replace('¦', "")).workflow.unwrap();
    let StateKind::Map(read) = &workflow.state("A").unwrap().kind else { panic!("no Map") };
    assert!(read.items.is_none());
    assert!(read_map(&map(r#""ItemsPath":"$.items","#)).items.is_some());
}

#[test]
fn readers_that_lack_something_are_refused() {
    for fields in [r#""Parameters":{"Bucket":"b"}"#, r#""Resource":"s3:listObjectsV2""#, FILE] {
        faulty(codes::MISSING_FIELD, &reader(fields).replace("\"ItemReader\"", "¦\"ItemReader\""));
    }
    for parameters in [r#"{"Bucket":"b"}"#, r#"{"Bucket.$":"$.b"}"#, r#"{"Key":"k"}"#] {
        faulty(
            codes::MISSING_FIELD,
            &config(r#""InputType":"JSON""#)
                .replace(r#"{"Bucket":"b","Key":"k"}"#, parameters)
                .replace("\"Parameters\"", "¦\"Parameters\""),
        );
    }
    for fields in [
        r#""MaxItems":1"#,
        r#""InputType":"CSV""#,
        r#""InputType":"CSV","CSVHeaderLocation":"GIVEN""#,
    ] {
        let text = config(fields).replace("\"ReaderConfig\"", "¦\"ReaderConfig\"");
        faulty(codes::MISSING_FIELD, &text);
    }
}

#[test]
fn what_does_not_go_with_the_type_of_a_file_is_refused() {
    for fields in [
        r#""InputType":"JSON",¦"CSVDelimiter":"TAB""#,
        r#""InputType":"JSONL",¦"ItemsPointer":"/a""#,
        r#""InputType":"JSONL",¦"CSVHeaderLocation":"FIRST_ROW""#,
        r#""InputType":"CSV","CSVHeaderLocation":"FIRST_ROW",¦"CSVHeaders":["a"]"#,
    ] {
        faulty(codes::FIELD_NOT_ALLOWED, &config(fields));
    }
    for fields in [
        r#""InputType":¦"json""#,
        r#""InputType":"JSON","ItemsPointer":¦"a""#,
        r#""InputType":"JSON","ItemsPointer":¦"/a~2""#,
        r#""InputType":"CSV","CSVHeaderLocation":¦"LAST_ROW""#,
        r#""InputType":"CSV","CSVHeaderLocation":"FIRST_ROW","CSVDelimiter":¦",""#,
    ] {
        faulty(codes::VALUE, &config(fields));
    }
    faulty(codes::CONFLICT, &config(&format!(r#"{CSV},"MaxItems":1,¦"MaxItemsPath":"$.n""#)));
    faulty(codes::RANGE, &config(&format!(r#"{CSV},"MaxItems":¦100000001"#)));
    faulty(codes::UNKNOWN_FIELD, &config(&format!(r#"{CSV},¦"MaxItem":1"#)));
    let given = r#""InputType":"CSV","CSVHeaderLocation":"GIVEN","CSVHeaders":"#;
    faulty(codes::EMPTY, &config(&format!("{given}¦[]")));
    faulty(codes::TYPE, &config(&format!("{given}[¦1]")));
}

#[test]
fn what_cannot_be_read_yet_is_said() {
    for fields in [
        r#""InputType":¦"PARQUET""#,
        r#""InputType":¦"MANIFEST""#,
        r#""InputType":"JSON",¦"ManifestType":"S3_INVENTORY""#,
        r#""InputType":"JSON","Transformation":¦"LOAD_AND_FLATTEN""#,
    ] {
        faulty(codes::NOT_SUPPORTED, &config(fields));
    }
}

#[test]
fn readers_and_writers_know_their_resources_and_query_languages() {
    for fields in [
        r#""Resource":¦"s3:putObject","Parameters":{"Bucket":"b"}"#,
        r#""Resource":¦"arn:aws:s3:::bucket","Parameters":{"Bucket":"b"}"#,
    ] {
        faulty(codes::VALUE, &reader(fields));
    }
    faulty(codes::VALUE, &writer(r#""Resource":¦"s3:getObject","Parameters":{"Bucket":"b"}"#));
    faulty(codes::FIELD_LANGUAGE, &reader(&format!(r#"{LIST},¦"Arguments":{{}}"#)));
    let both = format!(r#"{LIST},¦"Parameter$":{{}}"#);
    faulty(codes::FIELD_LANGUAGE, &jsonata(&reader(&both)).replace("Parameter$", "Parameters"));
    let path = config(&format!(r#"{CSV},¦"MaxItemsPath":"$.n""#));
    faulty(codes::FIELD_LANGUAGE, &jsonata(&path));
    faulty(codes::UNKNOWN_FIELD, &writer(r#""WriterConfig":{},¦"Bucket":"b""#));
    faulty(codes::TYPE, &reader(&LIST.replace(r#""b""#, "¦1")));
    faulty(codes::TYPE, &reader(&LIST.replace(r#"{"Bucket":"b"}"#, "¦1")));
    faulty(codes::TYPE, &reader(&LIST.replace(r#"{"Bucket":"b"}"#, "¦[]")));
    faulty(codes::TYPE, &jsonata(&reader(&LIST.replace(r#"{"Bucket":"b"}"#, "¦\"b\""))));
}

#[test]
fn results_are_written_transformed_or_both() {
    let read = |text: &str| distributed(text).writer.unwrap();
    let put = r#""Resource":"s3:putObject","Parameters":{"Bucket":"b","Prefix":"p/"}"#;
    let written = read(&writer(put));
    assert!(written.arguments.is_some());
    assert_eq!(written.config.transformation, Transformation::None);
    assert_eq!(written.config.output_type, OutputType::Json);
    let flat = r#""WriterConfig":{"Transformation":"FLATTEN","OutputType":"JSONL"}"#;
    let transformed = read(&writer(flat));
    assert!(transformed.arguments.is_none());
    assert_eq!(transformed.config.transformation, Transformation::Flatten);
    assert_eq!(transformed.config.output_type, OutputType::Jsonl);
    let arn = put.replace("s3:", "arn:aws-cn:states:::s3:");
    let both = read(&writer(&format!("{arn},{}", flat.replace("FLATTEN", "COMPACT"))));
    assert_eq!(both.config.transformation, Transformation::Compact);
    let computed =
        jsonata(&writer(r#""Resource":"s3:putObject","Parameters":"{% $states.input %}""#));
    assert!(read(&computed).arguments.is_some());
}

#[test]
fn writers_that_lack_something_are_refused() {
    for fields in
        ["", r#""Resource":"s3:putObject""#, r#""Parameters":{"Bucket":"b","Prefix":"p"}"#]
    {
        let text = writer(fields).replace("\"ResultWriter\"", "¦\"ResultWriter\"");
        faulty(codes::MISSING_FIELD, &text);
    }
    faulty(
        codes::MISSING_FIELD,
        &writer(r#""Resource":"s3:putObject",¦"Parameters":{"Prefix":"p"}"#),
    );
    faulty(codes::VALUE, &writer(r#""WriterConfig":{"Transformation":¦"FLAT"}"#));
    faulty(codes::VALUE, &writer(r#""WriterConfig":{"OutputType":¦"CSV"}"#));
}

#[test]
fn a_workflow_is_started_and_awaited_as_the_resource_says() {
    for (end, pattern) in [
        ("", Pattern::Response),
        (".sync", Pattern::SyncText),
        (".sync:2", Pattern::SyncJson),
        (".waitForTaskToken", Pattern::Callback),
    ] {
        let text = start(r#""Parameters":{"StateMachineArn":"child","Input.$":"$"},"#);
        let text = text.replace('¦', "").replace("startExecution", &format!("startExecution{end}"));
        let read = task(&text).resource;
        assert_eq!((read.service, read.pattern), (Service::Execution, pattern));
        assert!(sound(&text).job_types().is_empty());
    }
    let every =
        r#""Parameters":{"StateMachineArn.$":"$.w","Name":"n","Input":{},"TraceHeader":"t"},"#;
    sound(&start(every).replace('¦', ""));
    let computed = r#""Parameters":"{% $states.input %}","#;
    sound(&jsonata(&start(computed)).replace('¦', ""));
}

#[test]
fn a_start_that_does_not_say_what_is_refused() {
    let found = faulty(codes::MISSING_FIELD, &start(""));
    assert!(found.hint.unwrap().contains("StateMachineArn"));
    let quiet = |fields: &str| start(fields).replacen('¦', "", 1);
    let text = quiet(r#"$"Parameters":{"Input":{}},"#).replace('$', "¦");
    faulty(codes::MISSING_FIELD, &text);
    let text = quiet(r#""Parameters":{"StateMachineArn":"c",$"Input_":1},"#).replace('$', "¦");
    faulty(codes::UNKNOWN_FIELD, &text);
    let text = quiet(r#""Parameters":{"StateMachineArn":$1},"#).replace('$', "¦");
    faulty(codes::TYPE, &text);
    let text = jsonata(&quiet(r#""Parameters":$[],"#)).replace('$', "¦");
    faulty(codes::TYPE, &text);
}

#[test]
fn a_callback_leaves_its_end_out_of_the_job_type() {
    let text = r#"{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"ask.waitForTaskToken","Parameters":{"token.$":"$$.Task.Token"},"HeartbeatSeconds":60,"End":true}}}"#;
    assert_eq!(task(text).resource.pattern, Pattern::Callback);
    let job_types = sound(text).job_types();
    assert_eq!(job_types.iter().map(AsRef::as_ref).collect::<Vec<&str>>(), ["ask"]);
}

#[test]
fn failures_of_reading_and_writing_have_names() {
    let text = map(
        r#""Catch":[{"ErrorEquals":["States.ItemReaderFailed","States.ResultWriterFailed"],"Next":"C"}],"#,
    );
    sound(&text.replace(r#""A":{"#, r#""C":{"Type":"Succeed"},"A":{"#));
}
