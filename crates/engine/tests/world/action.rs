//! What can happen in a world, made up in advance.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

/// One thing that happens. It is read against the world as it then is; what cannot happen then is
/// skipped.
#[derive(Clone, Debug)]
pub(crate) enum Action {
    /// A user, or whoever knows the password, begins a session.
    SignIn { user: Index },
    /// A session starts the second factor.
    Initialize { session: Index },
    /// A session answers; the attempt then goes so far before something else happens.
    Submit {
        session: Whose,
        code: Code,
        stages: u8,
    },
    /// An attempt under way goes on.
    Deliver { flight: Index, stages: u8 },
    /// A session asks for administration.
    Authorize { session: Index },
    /// A session signs out.
    EndSession { session: Index },
    /// An administrator resets a second factor.
    ResetFactor { user: Index },
    /// The second factor becomes due, or is no longer.
    SetDue(bool),
    /// A user is let off for so many seconds.
    Exempt { user: Index, seconds: u32 },
    /// Time passes.
    Advance { seconds: u32 },
    /// The clock on the wall is set, ahead or back.
    SetWall { ahead: bool, seconds: u32 },
    /// Every clock is set back, the one that never is included.
    SetBack { seconds: u32 },
    /// Time passes until a user's answers are looked at again.
    AwaitGate { user: Index },
}

/// A session.
#[derive(Clone, Debug)]
pub(crate) enum Whose {
    /// One of those whose second factor is due still.
    Partial(Index),
    /// Any there ever was.
    Any(Index),
}

/// A code, as the one who types it knows it.
#[derive(Clone, Debug)]
pub(crate) enum Code {
    /// The one of so many steps from now.
    Step(i8),
    /// The last one that was good.
    Replay,
    /// The present one of another user.
    OfUser(Index),
    /// The present one of any seed that this user ever was shown.
    OfSeed(Index),
    /// Digits out of the air.
    Guess(u32),
    /// Anything.
    Text(String),
}

/// All of an attempt, however often it is sent back.
pub(crate) const ALL_STAGES: u8 = u8::MAX;

fn stages() -> impl Strategy<Value = u8> {
    prop_oneof![3 => Just(ALL_STAGES), 3 => 0..4_u8]
}

fn code() -> impl Strategy<Value = Code> {
    prop_oneof![
        8 => (-1..=1_i8).prop_map(Code::Step),
        2 => (-3..=3_i8).prop_map(Code::Step),
        3 => Just(Code::Replay),
        1 => any::<Index>().prop_map(Code::OfUser),
        1 => any::<Index>().prop_map(Code::OfSeed),
        8 => (0..1_000_000_u32).prop_map(Code::Guess),
        1 => any::<String>().prop_map(Code::Text),
    ]
}

fn whose() -> impl Strategy<Value = Whose> {
    prop_oneof![
        9 => any::<Index>().prop_map(Whose::Partial),
        1 => any::<Index>().prop_map(Whose::Any),
    ]
}

fn seconds() -> impl Strategy<Value = u32> {
    prop_oneof![
        8 => 1..90_u32,
        3 => 90..3_600_u32,
        1 => 3_600..100_000_u32,
        1 => 100_000..5_000_000_u32,
    ]
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        20 => any::<Index>().prop_map(|user| Action::SignIn { user }),
        12 => any::<Index>().prop_map(|session| Action::Initialize { session }),
        40 => (whose(), code(), stages())
            .prop_map(|(session, code, stages)| Action::Submit { session, code, stages }),
        30 => (any::<Index>(), stages())
            .prop_map(|(flight, stages)| Action::Deliver { flight, stages }),
        8 => any::<Index>().prop_map(|session| Action::Authorize { session }),
        2 => any::<Index>().prop_map(|session| Action::EndSession { session }),
        1 => any::<Index>().prop_map(|user| Action::ResetFactor { user }),
        2 => prop::bool::weighted(0.7).prop_map(Action::SetDue),
        1 => (any::<Index>(), seconds()).prop_map(|(user, seconds)| Action::Exempt { user, seconds }),
        14 => seconds().prop_map(|seconds| Action::Advance { seconds }),
        2 => (any::<bool>(), seconds())
            .prop_map(|(ahead, seconds)| Action::SetWall { ahead, seconds }),
        2 => seconds().prop_map(|seconds| Action::SetBack { seconds }),
        4 => any::<Index>().prop_map(|user| Action::AwaitGate { user }),
    ]
}

/// Everything there is, in any order.
pub(crate) fn anything(most: usize) -> impl Strategy<Value = Vec<Action>> {
    vec(action(), 1..most)
}

/// Someone who knows the password and guesses for months, while the owner signs in every day.
pub(crate) fn siege(most: usize) -> impl Strategy<Value = Vec<Action>> {
    let submit = |code: BoxedStrategy<Code>| {
        let session = any::<Index>().prop_map(Whose::Partial);
        (session, code).prop_map(|(session, code)| Action::Submit {
            session,
            code,
            stages: ALL_STAGES,
        })
    };
    let step = prop_oneof![
        4 => any::<Index>().prop_map(|session| Action::Initialize { session }),
        24 => any::<Index>().prop_map(|user| Action::SignIn { user }),
        16 => any::<Index>().prop_map(|user| Action::AwaitGate { user }),
        12 => (20..90_u32).prop_map(|seconds| Action::Advance { seconds }),
        1 => (0..200_000_u32).prop_map(|seconds| Action::Advance { seconds }),
        1 => (0..100_000_u32).prop_map(|seconds| Action::SetBack { seconds }),
        40 => submit((0..1_000_000_u32).prop_map(Code::Guess).boxed()),
        14 => submit((-1..=1_i8).prop_map(Code::Step).boxed()),
    ];
    vec(step, most / 2..most)
}

/// A crowd of answers at once, of which the store hears in any order.
pub(crate) fn crowd(most: usize) -> impl Strategy<Value = Vec<Action>> {
    let flight = (any::<Index>(), 1..4_u8);
    let step = prop_oneof![
        6 => any::<Index>().prop_map(|user| Action::SignIn { user }),
        2 => any::<Index>().prop_map(|session| Action::Initialize { session }),
        30 => (whose(), code())
            .prop_map(|(session, code)| Action::Submit { session, code, stages: 0 }),
        60 => flight.prop_map(|(flight, stages)| Action::Deliver { flight, stages }),
        3 => (1..40_u32).prop_map(|seconds| Action::Advance { seconds }),
    ];
    vec(step, 1..most)
}
