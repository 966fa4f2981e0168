//! What can happen in a world with RADIUS servers, made up in advance.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use vestibule_engine::provider::RadiusMode;
use vestibule_engine::push::PushOutcome;

/// One thing that happens. It is read against the world as it then is; what cannot happen then is
/// skipped.
#[derive(Clone, Debug)]
pub(crate) enum Action {
    /// A user, or whoever knows the password, begins a session.
    SignIn { user: Index },
    /// A session has the server ask; the attempt then goes so far before something else happens.
    Open {
        session: Index,
        with: Opening,
        manner: Manner,
        stages: u8,
    },
    /// A session answers.
    Answer {
        session: Index,
        is_right: bool,
        claim: Claim,
        manner: Manner,
        stages: u8,
    },
    /// A session asks for a push, or for what became of it.
    Push { session: Index, stages: u8 },
    /// A push ends.
    PushEnds { push: Index, outcome: PushOutcome },
    /// Pushes that are of no more use are removed.
    Sweep,
    /// An attempt under way goes on.
    Deliver { flight: Index, stages: u8 },
    /// The program that carried an attempt is gone.
    Crash { flight: Index },
    /// A session signs out.
    Logout { session: Index },
    /// An administrator resets a second factor, which ends the partial tokens.
    Reset { user: Index },
    /// An administrator unlocks a user, which ends nothing.
    Unlock { user: Index },
    /// The provider is changed.
    ChangeProvider { mode: RadiusMode },
    /// Time passes.
    Advance { seconds: u32 },
    /// Time passes until a user's answers are looked at again.
    AwaitGate { user: Index },
}

/// What a first request carries.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Opening {
    Secret,
    Password { is_right: bool },
}

/// What a client sends along as the state.
#[derive(Clone, Debug)]
pub(crate) enum Claim {
    Nothing,
    /// The handle of its dialogue, if it has one.
    Own,
    /// The handle of the dialogue of any session, if it has one.
    Of(Index),
    Garbage,
}

/// What kind of server is met.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Manner {
    /// It asks first, then accepts what is right and rejects what is wrong.
    Plain,
    /// It asks again for what is wrong.
    AsksAgain,
    /// It asks and asks.
    AsksOn,
    /// It rejects everything.
    Rejects,
    /// It accepts first requests that nobody typed anything for.
    Careless,
    /// Nobody hears it; it may have judged all the same.
    Silent { judges: bool },
}

/// All of an attempt, however often it is sent back.
pub(crate) const ALL_STAGES: u8 = u8::MAX;

fn stages() -> impl Strategy<Value = u8> {
    prop_oneof![3 => Just(ALL_STAGES), 3 => 0..6_u8]
}

fn manner() -> impl Strategy<Value = Manner> {
    prop_oneof![
        8 => Just(Manner::Plain),
        6 => Just(Manner::AsksAgain),
        3 => Just(Manner::AsksOn),
        1 => Just(Manner::Rejects),
        1 => Just(Manner::Careless),
        3 => any::<bool>().prop_map(|judges| Manner::Silent { judges }),
    ]
}

fn opening() -> impl Strategy<Value = Opening> {
    prop_oneof![
        3 => Just(Opening::Secret),
        1 => prop::bool::weighted(0.7).prop_map(|is_right| Opening::Password { is_right }),
    ]
}

fn claim() -> impl Strategy<Value = Claim> {
    prop_oneof![
        6 => Just(Claim::Nothing),
        6 => Just(Claim::Own),
        1 => any::<Index>().prop_map(Claim::Of),
        1 => Just(Claim::Garbage),
    ]
}

fn seconds() -> impl Strategy<Value = u32> {
    prop_oneof![
        8 => 1..60_u32,
        4 => 60..400_u32,
        1 => 400..100_000_u32,
        1 => 100_000..3_000_000_u32,
    ]
}

fn mode() -> impl Strategy<Value = RadiusMode> {
    prop_oneof![
        3 => Just(RadiusMode::OneFactor),
        6 => Just(RadiusMode::Challenge),
        3 => Just(RadiusMode::Push),
    ]
}

fn open(stages: impl Strategy<Value = u8>) -> impl Strategy<Value = Action> {
    (any::<Index>(), opening(), manner(), stages).prop_map(|(session, with, manner, stages)| {
        Action::Open {
            session,
            with,
            manner,
            stages,
        }
    })
}

fn answer(right: f64, stages: impl Strategy<Value = u8>) -> impl Strategy<Value = Action> {
    let is_right = prop::bool::weighted(right);
    (any::<Index>(), is_right, claim(), manner(), stages).prop_map(
        |(session, is_right, claim, manner, stages)| Action::Answer {
            session,
            is_right,
            claim,
            manner,
            stages,
        },
    )
}

fn push(stages: impl Strategy<Value = u8>) -> impl Strategy<Value = Action> {
    (any::<Index>(), stages).prop_map(|(session, stages)| Action::Push { session, stages })
}

fn push_ends() -> impl Strategy<Value = Action> {
    let outcome = prop::sample::select(&PushOutcome::ALL[..]);
    (any::<Index>(), outcome).prop_map(|(push, outcome)| Action::PushEnds { push, outcome })
}

fn deliver(stages: impl Strategy<Value = u8>) -> impl Strategy<Value = Action> {
    (any::<Index>(), stages).prop_map(|(flight, stages)| Action::Deliver { flight, stages })
}

/// Everything there is, in any order.
pub(crate) fn anything(most: usize) -> impl Strategy<Value = Vec<Action>> {
    let step = prop_oneof![
        18 => any::<Index>().prop_map(|user| Action::SignIn { user }),
        24 => open(stages()),
        44 => answer(0.3, stages()),
        16 => push(stages()),
        14 => push_ends(),
        2 => Just(Action::Sweep),
        40 => deliver(stages()),
        4 => any::<Index>().prop_map(|flight| Action::Crash { flight }),
        3 => any::<Index>().prop_map(|session| Action::Logout { session }),
        1 => any::<Index>().prop_map(|user| Action::Reset { user }),
        1 => any::<Index>().prop_map(|user| Action::Unlock { user }),
        3 => mode().prop_map(|mode| Action::ChangeProvider { mode }),
        14 => seconds().prop_map(|seconds| Action::Advance { seconds }),
        4 => any::<Index>().prop_map(|user| Action::AwaitGate { user }),
    ];
    vec(step, 1..most)
}

/// A crowd of attempts at once, which go on in any order.
pub(crate) fn crowd(most: usize) -> impl Strategy<Value = Vec<Action>> {
    let step = prop_oneof![
        6 => any::<Index>().prop_map(|user| Action::SignIn { user }),
        10 => open(Just(0)),
        26 => answer(0.2, Just(0)),
        3 => push(Just(0)),
        2 => push_ends(),
        80 => deliver(1..4_u8),
        2 => any::<Index>().prop_map(|flight| Action::Crash { flight }),
        1 => mode().prop_map(|mode| Action::ChangeProvider { mode }),
        1 => any::<Index>().prop_map(|user| Action::Unlock { user }),
        3 => (1..40_u32).prop_map(|seconds| Action::Advance { seconds }),
    ];
    vec(step, 1..most)
}

/// Someone who knows the password and guesses for months at a server that asks again, gives up
/// half-way and begins anew, while the owner signs in whenever that is possible.
pub(crate) fn siege(most: usize) -> impl Strategy<Value = Vec<Action>> {
    let guess = |is_right, manner| {
        any::<Index>().prop_map(move |session| Action::Answer {
            session,
            is_right,
            claim: Claim::Nothing,
            manner,
            stages: ALL_STAGES,
        })
    };
    let opens = any::<Index>().prop_map(|session| Action::Open {
        session,
        with: Opening::Secret,
        manner: Manner::Plain,
        stages: ALL_STAGES,
    });
    let step = prop_oneof![
        24 => any::<Index>().prop_map(|user| Action::SignIn { user }),
        16 => any::<Index>().prop_map(|user| Action::AwaitGate { user }),
        24 => opens,
        40 => guess(false, Manner::AsksAgain),
        8 => guess(false, Manner::Plain),
        8 => guess(false, Manner::Silent { judges: true }),
        14 => guess(true, Manner::Plain),
        4 => (20..90_u32).prop_map(|seconds| Action::Advance { seconds }),
        1 => (0..100_000_u32).prop_map(|seconds| Action::Advance { seconds }),
    ];
    vec(step, most / 2..most)
}
