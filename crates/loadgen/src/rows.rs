//! The rows of the table of targets that are measured here.
//!
//! A row either compares two contenders that take turns ([`Duel`]), or needs a run of its own. One
//! more of the first kind is a variant and its [`Duel`], perhaps with a contender more.

/// A row of `docs/PERFORMANCE.md`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Row {
    /// The finish of a sign-in with a code.
    P1,
    /// The finish of a sign-in that a RADIUS server judges.
    P4,
    /// Many pushes that are pending at once.
    P5,
    /// Pages of long lists.
    P8,
}

/// Two contenders, and how the first should fare against the second.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Duel {
    pub(crate) subject: Contender,
    pub(crate) reference: Contender,
    /// How many times as many a second.
    pub(crate) at_least: f64,
}

/// What does something as often as it can.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Contender {
    /// One conditional update a transaction, by pgbench.
    Update,
    /// Sign-ins that end with a code.
    Totp,
    /// Sign-ins that end with a word that FreeRADIUS judges.
    Radius,
}

impl Row {
    pub(crate) const ALL: [Self; 4] = [Self::P1, Self::P4, Self::P5, Self::P8];

    /// The row of this name, in upper or lower case.
    pub(crate) fn named(name: &str) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|row| row.name().eq_ignore_ascii_case(name))
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::P1 => "P1",
            Self::P4 => "P4",
            Self::P5 => "P5",
            Self::P8 => "P8",
        }
    }

    /// The two that take turns; none for a row with a run of its own.
    pub(crate) const fn duel(self) -> Option<Duel> {
        match self {
            Self::P1 => Some(Duel {
                subject: Contender::Totp,
                reference: Contender::Update,
                at_least: 1.0,
            }),
            Self::P4 => Some(Duel {
                subject: Contender::Radius,
                reference: Contender::Totp,
                at_least: 0.4,
            }),
            Self::P5 | Self::P8 => None,
        }
    }
}

impl Contender {
    /// All, in the order in which they take turns.
    pub(crate) const ALL: [Self; 3] = [Self::Update, Self::Totp, Self::Radius];

    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Update => "pgbench, one UPDATE",
            Self::Totp => "finish with a code",
            Self::Radius => "finish by RADIUS",
        }
    }
}
