// What made variants.json: the Rust types of `SpanData` in opentelemetry 0.14 and 0.17, as far as
// they are written, with serde 1.0.152, serde_json 1.0.87 and bincode 1.3.3, which are Debian's.
// A cargo project with these three and this as its main.rs prints the file.

use serde::Serialize;
use std::collections::{BTreeMap, HashMap, LinkedList, VecDeque};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

#[derive(Serialize, Clone)] struct TraceId(u128);
#[derive(Serialize, Clone)] struct SpanId(u64);
#[derive(Serialize, Clone)] struct TraceFlags(u8);
#[derive(Serialize, Clone)] struct TraceState(Option<VecDeque<(String, String)>>);
#[derive(Serialize, Clone)] struct Ctx { trace_id: TraceId, span_id: SpanId, trace_flags: TraceFlags, is_remote: bool, trace_state: TraceState }
#[derive(Serialize, Clone)] #[allow(dead_code)] enum Kind { Client, Server, Producer, Consumer, Internal }
#[derive(Serialize, Clone)] #[allow(dead_code)] enum Status { Unset, Ok, Error }
#[derive(Serialize, Clone)] enum Array { Bool(Vec<bool>), I64(Vec<i64>), F64(Vec<f64>), String(Vec<String>) }
#[derive(Serialize, Clone)] enum Value { Bool(bool), I64(i64), F64(f64), String(String), Array(Array) }
#[derive(Serialize, Clone)] struct KV { key: String, value: Value }
#[derive(Serialize, Clone)] struct Map { map: HashMap<String, Value>, evict_list: LinkedList<String>, max_len: u32, dropped_count: u32 }
#[derive(Serialize, Clone)] struct Queue<T> { queue: Option<VecDeque<T>>, max_len: u32, dropped_count: u32 }
#[derive(Serialize, Clone)] struct Event { name: String, timestamp: SystemTime, attributes: Vec<KV>, dropped_attributes_count: u32 }
#[derive(Serialize, Clone)] struct Link { span_context: Ctx, attributes: Vec<KV>, dropped_attributes_count: u32 }
#[derive(Serialize, Clone)] struct Res { attrs: BTreeMap<String, Value> }
#[derive(Serialize, Clone)] struct Span { span_context: Ctx, parent_span_id: SpanId, span_kind: Kind, name: String, start_time: SystemTime, end_time: SystemTime, attributes: Map, events: Queue<Event>, links: Queue<Link>, status_code: Status, status_message: String, resource: Option<Res> }

fn at(s: u64, n: u32) -> SystemTime { UNIX_EPOCH + Duration::new(s, n) }
fn ctx(t: u128, s: u64, f: u8, r: bool, st: Option<Vec<(&str, &str)>>) -> Ctx {
    Ctx { trace_id: TraceId(t), span_id: SpanId(s), trace_flags: TraceFlags(f), is_remote: r,
        trace_state: TraceState(st.map(|v| v.into_iter().map(|(a, b)| (a.into(), b.into())).collect())) }
}
fn kv(k: &str, v: Value) -> KV { KV { key: k.into(), value: v } }
fn map(items: Vec<(&str, Value)>, dropped: u32) -> Map {
    Map { evict_list: items.iter().map(|(k, _)| k.to_string()).collect(), map: items.into_iter().map(|(k, v)| (k.into(), v)).collect(), max_len: 128, dropped_count: dropped }
}
fn s(x: &str) -> Value { Value::String(x.into()) }

fn main() {
    let bare = Span { span_context: ctx(u128::MAX, u64::MAX, 1, false, None), parent_span_id: SpanId(1), span_kind: Kind::Server,
        name: "".into(), start_time: at(0, 0), end_time: at(9_223_372_036, 854_775_807), attributes: map(vec![], 0),
        events: Queue { queue: None, max_len: 128, dropped_count: 0 }, links: Queue { queue: None, max_len: 128, dropped_count: 0 },
        status_code: Status::Ok, status_message: "".into(), resource: None };
    let full = Span { span_context: ctx(1, 2, 1, false, Some(vec![("rojo", "00f067aa0ba902b7"), ("congo", "t61rcWkgMzE")])), parent_span_id: SpanId(u64::MAX),
        span_kind: Kind::Client, name: "h\u{e9}llo \"\\\n\u{0}\u{1f40b}\u{2028}".into(), start_time: at(1_700_000_000, 999_999_999), end_time: at(1_700_000_001, 0),
        attributes: map(vec![
            ("yes", Value::Bool(true)), ("no", Value::Bool(false)), ("low", Value::I64(i64::MIN)), ("high", Value::I64(i64::MAX)),
            ("one", Value::F64(1.0)), ("tiny", Value::F64(5e-324)), ("huge", Value::F64(1.7976931348623157e308)), ("minus zero", Value::F64(-0.0)),
            ("infinite", Value::F64(f64::INFINITY)), ("text", s("{\"json\": [1, 2]}")), ("empty", s("")),
            ("bools", Value::Array(Array::Bool(vec![true, false]))), ("ints", Value::Array(Array::I64(vec![-1, 0, 1]))),
            ("floats", Value::Array(Array::F64(vec![0.1, 1e21, -2.5e-9]))), ("texts", Value::Array(Array::String(vec!["a".into(), "".into()]))),
            ("none", Value::Array(Array::F64(vec![]))),
        ], 7),
        events: Queue { queue: Some(vec![
            Event { name: "first".into(), timestamp: at(1_700_000_000, 1), attributes: vec![], dropped_attributes_count: 3 },
            Event { name: "twice".into(), timestamp: at(1_700_000_000, 2), attributes: vec![kv("target", s("agent")), kv("target", s("again"))], dropped_attributes_count: 0 },
        ].into()), max_len: 128, dropped_count: 4 },
        links: Queue { queue: Some(vec![
            Link { span_context: ctx(u128::MAX, u64::MAX, 1, true, None), attributes: vec![kv("why", Value::I64(5))], dropped_attributes_count: 6 },
            Link { span_context: ctx(0, 0, 0, false, None), attributes: vec![], dropped_attributes_count: 0 },
        ].into()), max_len: 128, dropped_count: 5 },
        status_code: Status::Error, status_message: "no such file".into(),
        resource: Some(Res { attrs: BTreeMap::from([("service.name".to_string(), s("unknown_service")), ("build".to_string(), Value::I64(3))]) }) };
    let mut out = vec![];
    for (name, span) in [("bare", bare), ("full", full)] {
        let bin: String = bincode::serialize(&span).unwrap().iter().map(|b| format!("{:02x}", b)).collect();
        out.push(serde_json::json!({"name": name, "json": serde_json::to_string(&span).unwrap(), "bincode_hex": bin}));
    }
    println!("{}", serde_json::to_string_pretty(&out).unwrap());
}
