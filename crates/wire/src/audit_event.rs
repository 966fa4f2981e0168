//! Rows of the audit trail.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::DateTime;

/// Something that was done or tried, as it was written down.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(examples(json!({
    "id": "5f0c1b6e-2f3d-4a58-8c5e-0d9b7a6c4e21",
    "time": "2026-01-31T08:15:00.000000Z",
    "event": "secondFactor",
    "outcome": "failure",
    "actorId": "2f1c5d0e-6a4b-4d3c-9b8a-7e6f5d4c3b2a",
    "actor": "alice",
    "address": "192.0.2.7",
    "requestId": "9d1b52ab-7f27-4f3e-8a3c-61f5c3c1a0de",
    "reason": "replayed",
    "details": { "mode": "TOTP", "step": "58998660", "lastStep": "58998660" }
})))]
pub struct AuditEvent {
    /// The id of the row.
    #[schema(format = "uuid")]
    pub id: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub time: DateTime,
    /// What was done, or tried.
    pub event: String,
    /// How it ended: `success`, `failure`, `denied` or `error`.
    pub outcome: String,
    /// The id of who did it, if that is a user who is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(format = "uuid")]
    pub actor_id: Option<String>,
    /// The name of who did it, as it was given.
    pub actor: String,
    /// What kind of object it was done to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object_type: Option<String>,
    /// The id of the object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object_id: Option<String>,
    /// The name of the object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// Where it came from: an address, `local` or `unknown`.
    pub address: String,
    /// The `X-Request-Id` of the answer.
    #[schema(format = "uuid")]
    pub request_id: String,
    /// The true reason, also where the answer did not tell it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// More, by name.
    pub details: BTreeMap<String, String>,
}
