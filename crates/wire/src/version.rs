//! Versions of the API.

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The versions of the API that are spoken.
pub const PEER_VERSIONS: RangeInclusive<u16> = 18..=23;
/// What stands before the version in an `Accept` header…
pub const MEDIA_TYPE_PREFIX: &str = "application/vnd.appgate.peer-v";
/// …and after it.
pub const MEDIA_TYPE_SUFFIX: &str = "+json";

/// The answer of `GET /version`.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(examples(json!({ "peerVersion": 23, "lowestPeerVersionSupported": 18 })))]
pub struct Version {
    /// The newest version.
    pub peer_version: u16,
    /// The oldest.
    pub lowest_peer_version_supported: u16,
}

impl Version {
    /// The versions of this program.
    pub const OURS: Self = Self {
        peer_version: *PEER_VERSIONS.end(),
        lowest_peer_version_supported: *PEER_VERSIONS.start(),
    };
}
