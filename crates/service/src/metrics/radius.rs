//! What the RADIUS client has counted of each server of each provider, by the names of RFC 4668
//! where it has one.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::metrics::MetricType;
use vestibule_radius::udp::EndpointStatus;
use vestibule_radius::{RoundTrips, Snapshot, Standing};

use super::labels::Server;
use crate::Service;

/// What one server has counted.
type Count = fn(&Snapshot) -> u64;

const COUNTS: [(&str, &str, Count); 17] = [
    (
        "access_requests",
        "Access-Requests that were sent, repetitions not included",
        |counts| counts.access_requests,
    ),
    (
        "access_retransmissions",
        "Access-Requests that were sent again",
        |counts| counts.access_retransmissions,
    ),
    (
        "access_accepts",
        "Access-Accepts that were signed",
        |counts| counts.access_accepts,
    ),
    (
        "access_rejects",
        "Access-Rejects that were signed",
        |counts| counts.access_rejects,
    ),
    (
        "access_challenges",
        "Access-Challenges that were signed",
        |counts| counts.access_challenges,
    ),
    (
        "broken_responses",
        "Signed answers that no server may send",
        |counts| counts.broken_responses,
    ),
    (
        "malformed_access_responses",
        "Packets dropped: of a wrong length, or with malformed attributes",
        |counts| counts.malformed_access_responses,
    ),
    (
        "bad_authenticators",
        "Packets dropped: signed with another secret, or forged",
        |counts| counts.bad_authenticators,
    ),
    (
        "missing_message_authenticators",
        "Packets dropped: without a Message-Authenticator where one is required",
        |counts| counts.missing_message_authenticators,
    ),
    (
        "unknown_identifiers",
        "Packets dropped: with the identifier of nothing that waits",
        |counts| counts.unknown_identifiers,
    ),
    (
        "unknown_types",
        "Packets dropped: with a code that is no answer",
        |counts| counts.unknown_types,
    ),
    (
        "protocol_errors",
        "Packets dropped: Protocol-Errors",
        |counts| counts.protocol_errors,
    ),
    (
        "timeouts",
        "Access-Requests that were given up without an answer",
        |counts| counts.timeouts,
    ),
    (
        "refusals",
        "Times the system said that nobody listens there",
        |counts| counts.refusals,
    ),
    (
        "status_requests",
        "Status-Server requests that were sent",
        |counts| counts.status_requests,
    ),
    (
        "status_responses",
        "Signed answers to Status-Server requests",
        |counts| counts.status_responses,
    ),
    (
        "status_timeouts",
        "Status-Server requests without an answer",
        |counts| counts.status_timeouts,
    ),
];

/// What one server is like now.
type State = fn(&EndpointStatus) -> usize;

const STATES: [(&str, &str, State); 3] = [
    (
        "pending_requests",
        "Access-Requests that wait for an answer",
        |status| status.pending,
    ),
    ("sockets", "Sockets that are open to the server", |status| {
        status.sockets
    }),
    (
        "server_alive",
        "1 while nothing speaks against the server, 0 when it was silent or refused",
        |status| usize::from(status.standing == Standing::Alive),
    ),
];

/// The servers that sign-ins have used, as they are now.
#[derive(Debug)]
pub(crate) struct RadiusServers(Vec<(Server, EndpointStatus)>);

impl Service {
    /// The servers of every provider that sign-ins have used. Providers with the same settings
    /// share a server, and then each shows what both have made of it.
    pub(super) fn radius_servers(&self) -> RadiusServers {
        let mut servers = Vec::new();
        for (provider, status) in self.inner.known.radius_servers() {
            servers.extend(status.into_iter().map(|status| {
                let server = Server {
                    provider: provider.to_string(),
                    server: status.address.to_string(),
                };
                (server, status)
            }));
        }
        RadiusServers(servers)
    }
}

impl Collector for RadiusServers {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        // A name without any server under it is no measure.
        if self.0.is_empty() {
            return Ok(());
        }
        for (name, help, count) in COUNTS {
            let name = format!("radius_{name}");
            let mut all = encoder.encode_descriptor(&name, help, None, MetricType::Counter)?;
            for (server, status) in &self.0 {
                let count = count(&status.counters);
                let mut one = all.encode_family(server)?;
                one.encode_counter::<Server, _, f64>(&count, None)?;
            }
        }
        for (name, help, state) in STATES {
            let name = format!("radius_{name}");
            let mut all = encoder.encode_descriptor(&name, help, None, MetricType::Gauge)?;
            for (server, status) in &self.0 {
                all.encode_family(server)?.encode_gauge(&state(status))?;
            }
        }
        let mut all = encoder.encode_descriptor(
            "radius_round_trip_seconds",
            "How long signed answers to Access-Requests took, since the first send",
            None,
            MetricType::Histogram,
        )?;
        for (server, status) in &self.0 {
            let round_trips = &status.counters.round_trips;
            let bounds = RoundTrips::bounds().map(|bound| bound.as_secs_f64());
            let buckets: Vec<_> = bounds
                .chain([f64::INFINITY])
                .zip(round_trips.buckets)
                .collect();
            all.encode_family(server)?.encode_histogram::<Server>(
                round_trips.sum.as_secs_f64(),
                round_trips.count(),
                &buckets,
                None,
            )?;
        }
        Ok(())
    }
}
