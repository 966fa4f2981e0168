//! The rows of the table of targets.
//!
//! A row either compares contenders that take turns ([`Duel`]), or needs a run of its own. One more
//! of the first kind is a variant and its [`Duel`], perhaps with a contender more.

use std::time::Duration;

use crate::report::Target;

/// A row of `docs/PERFORMANCE.md`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Row {
    /// The finish of a sign-in with a code.
    P1,
    /// The same on SQLite.
    P2,
    /// The start of a second factor, which only reads.
    P3,
    /// The finish of a sign-in that a RADIUS server judges.
    P4,
    /// Many pushes that are pending at once.
    P5,
    /// Sign-ins with a password, and what others notice of them.
    P6,
    /// Enrolments.
    P7,
    /// Many users: sign-ins and pages of long lists.
    P8,
    /// A start.
    P9,
    /// The finish of a sign-in at half the pace that is possible.
    P10,
}

/// Two contenders, and how the first should fare against the second.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Duel {
    pub(crate) subject: Contender,
    pub(crate) reference: Contender,
    pub(crate) figure: Figure,
    pub(crate) target: Target,
}

/// What of two contenders is compared.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Figure {
    /// How many there were a second.
    Throughput,
    /// What all but one in a hundred took at most.
    P99,
}

/// What does something, most of it as often as it can.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Contender {
    /// One conditional update a transaction, by pgbench.
    Update,
    /// Sign-ins that end with a code.
    Totp,
    /// The same at half that pace.
    Half,
    /// A bare server that answers with what it was sent.
    Echo,
    /// Second factors that begin.
    Initialize,
    /// Argon2id on all cores.
    Argon2,
    /// Sign-ins with a password that is hashed for real.
    Passwords,
    /// Sign-ins that end with a code, few, while nothing else happens.
    Calm,
    /// The same while passwords are hashed.
    Beside,
    /// Sign-ins that end with a word that FreeRADIUS judges.
    Radius,
    /// One conditional update a commit, by one writer of SQLite.
    Commit,
    /// Sign-ins that end with a code, on SQLite.
    InFile,
    /// Sign-ins that end with a code, among a thousand users.
    Thousand,
    /// The same among a million.
    Million,
}

const P1: Duel = Duel {
    subject: Contender::Totp,
    reference: Contender::Update,
    figure: Figure::Throughput,
    target: Target::AtLeast(1.0),
};

const P2: Duel = Duel {
    subject: Contender::InFile,
    reference: Contender::Commit,
    figure: Figure::Throughput,
    target: Target::AtLeast(1.5),
};

const P3: Duel = Duel {
    subject: Contender::Initialize,
    reference: Contender::Echo,
    figure: Figure::Throughput,
    target: Target::AtLeast(0.4),
};

const P4: Duel = Duel {
    subject: Contender::Radius,
    reference: Contender::Totp,
    figure: Figure::Throughput,
    target: Target::AtLeast(0.4),
};

const P6: Duel = Duel {
    subject: Contender::Passwords,
    reference: Contender::Argon2,
    figure: Figure::Throughput,
    target: Target::AtLeast(0.9),
};

const P6_OTHERS: Duel = Duel {
    subject: Contender::Beside,
    reference: Contender::Calm,
    figure: Figure::P99,
    target: Target::AtMost(3.0),
};

const P10: Duel = Duel {
    subject: Contender::Half,
    reference: Contender::Totp,
    figure: Figure::Throughput,
    target: Target::Within(Duration::from_millis(5)),
};

/// Of P8, in a run of its own: the pages of its lists are asked for over the same users.
pub(crate) const GROWTH: Duel = Duel {
    subject: Contender::Million,
    reference: Contender::Thousand,
    figure: Figure::Throughput,
    target: Target::AtLeast(0.85),
};

impl Row {
    pub(crate) const ALL: [Self; 10] = [
        Self::P1,
        Self::P2,
        Self::P3,
        Self::P4,
        Self::P5,
        Self::P6,
        Self::P7,
        Self::P8,
        Self::P9,
        Self::P10,
    ];

    /// The row of this name, in upper or lower case.
    pub(crate) fn named(name: &str) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|row| row.name().eq_ignore_ascii_case(name))
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::P1 => "P1",
            Self::P2 => "P2",
            Self::P3 => "P3",
            Self::P4 => "P4",
            Self::P5 => "P5",
            Self::P6 => "P6",
            Self::P7 => "P7",
            Self::P8 => "P8",
            Self::P9 => "P9",
            Self::P10 => "P10",
        }
    }

    /// Those who take turns; none for a row with a run of its own.
    pub(crate) const fn duels(self) -> &'static [Duel] {
        match self {
            Self::P1 => &[P1],
            Self::P2 => &[P2],
            Self::P3 => &[P3],
            Self::P4 => &[P4],
            Self::P6 => &[P6, P6_OTHERS],
            Self::P10 => &[P10],
            Self::P5 | Self::P7 | Self::P8 | Self::P9 => &[],
        }
    }
}

impl Contender {
    /// All in one arena, in the order in which they take turns.
    pub(crate) const ALL: [Self; 12] = [
        Self::Update,
        Self::Totp,
        Self::Half,
        Self::Echo,
        Self::Initialize,
        Self::Argon2,
        Self::Passwords,
        Self::Calm,
        Self::Beside,
        Self::Radius,
        Self::Commit,
        Self::InFile,
    ];

    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Update => "pgbench, one UPDATE",
            Self::Totp => "finish with a code",
            Self::Half => "finish at half that pace",
            Self::Echo => "axum, echo of JSON",
            Self::Initialize => "initialize of a seeded user",
            Self::Argon2 => "argon2id on all cores",
            Self::Passwords => "sign-in with a password",
            Self::Calm => "finishes alone",
            Self::Beside => "finishes while passwords are hashed",
            Self::Radius => "finish by RADIUS",
            Self::Commit => "SQLite, one UPDATE a commit",
            Self::InFile => "finish with a code on SQLite",
            Self::Thousand => "finish among a thousand users",
            Self::Million => "finish among a million users",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_targets_have_a_row() {
        for (row, n) in Row::ALL.into_iter().zip(1..) {
            assert_eq!(Row::named(&format!("p{n}")), Some(row));
        }
        assert_eq!(Row::ALL.len(), 10);
    }

    #[test]
    fn whoever_is_compared_takes_part() {
        for duel in Row::ALL.into_iter().flat_map(Row::duels) {
            for contender in [duel.subject, duel.reference] {
                assert!(Contender::ALL.contains(&contender), "{contender:?}");
            }
        }
    }
}
