//! From spans to what goes over the wire.

use std::time::{Duration, SystemTime};

use prost::Message;

use super::wire;
use crate::telemetry::span::{Record, Said, SpanKind};

/// OTLP's code of a status that is an error; without one a span is neither good nor bad.
const ERROR: i32 = 2;
/// OTLP's flags: recorded; known whether the parent is another process's; it is.
const SAMPLED: u32 = 0x1;
const KNOWS_WHOSE: u32 = 0x100;
const ANOTHERS: u32 = 0x200;

/// What made the spans, as every request says.
pub(super) fn resource(attributes: &[(&str, &str)]) -> wire::Resource {
    let attributes = attributes.iter();
    wire::Resource {
        attributes: attributes
            .map(|(key, value)| said(key, Said::Text((*value).to_owned())))
            .collect(),
    }
}

/// One request with all of these.
pub(super) fn request(resource: &wire::Resource, records: Vec<Record>) -> Vec<u8> {
    let scope = wire::Scope {
        name: env!("CARGO_PKG_NAME").to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let request = wire::Request {
        resource_spans: vec![wire::ResourceSpans {
            resource: Some(resource.clone()),
            scope_spans: vec![wire::ScopeSpans {
                scope: Some(scope),
                spans: records.into_iter().map(span).collect(),
            }],
        }],
    };
    request.encode_to_vec()
}

fn span(record: Record) -> wire::Span {
    let remote = match record.kind {
        SpanKind::Server | SpanKind::Consumer => ANOTHERS,
        SpanKind::Internal | SpanKind::Client | SpanKind::Producer => 0,
    };
    let parent = record.parent.map(|parent| parent.bytes().to_vec());
    wire::Span {
        trace_id: record.context.trace_id().bytes().to_vec(),
        span_id: record.context.span_id().bytes().to_vec(),
        flags: match parent {
            Some(_) => SAMPLED | KNOWS_WHOSE | remote,
            None => SAMPLED | KNOWS_WHOSE,
        },
        parent_span_id: parent.unwrap_or_default(),
        name: record.name,
        kind: record.kind as i32,
        start_time_unix_nano: nanos(record.began),
        end_time_unix_nano: nanos(record.began + record.took),
        attributes: record
            .attributes
            .into_iter()
            .map(|(key, value)| said(key, value))
            .collect(),
        status: record.failed.then_some(wire::Status { code: ERROR }),
    }
}

fn said(key: &str, value: Said) -> wire::KeyValue {
    let value = match value {
        Said::Text(text) => wire::Value::Text(text),
        Said::Number(number) => wire::Value::Number(number),
        Said::Flag(flag) => wire::Value::Flag(flag),
    };
    wire::KeyValue {
        key: key.to_owned(),
        value: Some(wire::AnyValue { value: Some(value) }),
    }
}

fn nanos(at: SystemTime) -> u64 {
    let since = at.duration_since(SystemTime::UNIX_EPOCH);
    u64::try_from(since.unwrap_or(Duration::ZERO).as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use opentelemetry_proto::tonic::common::v1::any_value::Value;
    use opentelemetry_proto::tonic::trace::v1::span::SpanKind as TheirKind;
    use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
    use prost::Message;

    use super::*;
    use crate::telemetry::TraceContext;

    #[test]
    fn what_is_written_is_what_opentelemetrys_own_crate_reads() {
        let context = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let context = TraceContext::parse(context.as_bytes()).unwrap();
        let began = SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_123);
        let record = |kind, parent| Record {
            context,
            parent,
            kind,
            name: "process escalations.high".to_owned(),
            began,
            took: Duration::from_micros(7),
            attributes: vec![
                ("escalator.incident", Said::Text("Q1".to_owned())),
                ("escalator.attempts", Said::Number(-3)),
                ("escalator.redelivered", Said::Flag(true)),
            ],
            failed: kind == SpanKind::Consumer,
        };
        let kinds = [
            (SpanKind::Internal, TheirKind::Internal),
            (SpanKind::Server, TheirKind::Server),
            (SpanKind::Client, TheirKind::Client),
            (SpanKind::Producer, TheirKind::Producer),
            (SpanKind::Consumer, TheirKind::Consumer),
        ];
        let records = kinds.map(|(kind, _)| record(kind, Some(context.span_id())));
        let mut records = Vec::from(records);
        records.push(record(SpanKind::Server, None));
        let resource = resource(&[("service.name", "escalator")]);
        let bytes = request(&resource, records);

        let request = ExportTraceServiceRequest::decode(bytes.as_slice()).unwrap();
        assert_eq!(request.encode_to_vec(), bytes, "and nothing else");
        let of_resource = &request.resource_spans[0];
        let service = &of_resource.resource.as_ref().unwrap().attributes[0];
        assert_eq!(service.key, "service.name");
        let scope = &of_resource.scope_spans[0];
        assert_eq!(scope.scope.as_ref().unwrap().name, "cobrowse-escalator");
        for ((_, kind), span) in kinds.iter().zip(&scope.spans) {
            assert_eq!(span.kind(), *kind);
            assert_eq!(span.name, "process escalations.high");
            let id = hex::encode(&span.trace_id);
            assert_eq!(id, "4bf92f3577b34da6a3ce929d0e0e4736");
            assert_eq!(hex::encode(&span.span_id), "00f067aa0ba902b7");
            assert_eq!(span.parent_span_id, span.span_id);
            assert_eq!(span.start_time_unix_nano, 1_700_000_000_123_000_000);
            assert_eq!(span.end_time_unix_nano, 1_700_000_000_123_007_000);
            let values = span.attributes.iter().map(|one| {
                let value = one.value.as_ref().unwrap();
                value.value.clone().unwrap()
            });
            let said = [
                Value::StringValue("Q1".to_owned()),
                Value::IntValue(-3),
                Value::BoolValue(true),
            ];
            assert_eq!(values.collect::<Vec<_>>(), said);
            let failed = span.status.as_ref().map(|status| status.code());
            let fails = *kind == TheirKind::Consumer;
            assert_eq!(failed, fails.then_some(StatusCode::Error));
            let theirs = matches!(kind, TheirKind::Server | TheirKind::Consumer);
            assert_eq!(span.flags, if theirs { 0x301 } else { 0x101 });
        }
        let root = scope.spans.last().unwrap();
        assert!(root.parent_span_id.is_empty());
        assert_eq!(root.flags, 0x101);
    }
}
