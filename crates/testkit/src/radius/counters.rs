//! What a simulator has seen.

/// Numbers that only grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Datagrams that came, those among them that are then lost or wrong.
    pub datagrams: usize,
    /// Requests whose address, port, identifier and authenticator came for the first time: each
    /// would ring a phone.
    pub pushes: usize,
    /// How often the handler was asked: each would ring a phone, too.
    pub asked: usize,
    /// The same request again, with the same octets.
    pub retransmissions: usize,
    /// The same request again, with other octets: never right.
    pub altered: usize,
    /// New requests that took the identifier of one that was waiting: servers give up on the old.
    pub collisions: usize,
    /// Ports that requests came from.
    pub sources: usize,
    /// Requests without Message-Authenticator.
    pub unsigned: usize,
    /// Requests whose Message-Authenticator is wrong.
    pub wrongly_signed: usize,
    /// Requests whose Message-Authenticator is right, but not the first attribute.
    pub signed_late: usize,
    /// Status-Server.
    pub probes: usize,
    /// Datagrams that are no packets, or of another code.
    pub malformed: usize,
    /// Datagrams that were lost on purpose, on their way in or out.
    pub lost: usize,
    /// Datagrams that were sent.
    pub sent: usize,
    /// Answers out of the cache.
    pub repeated: usize,
}
