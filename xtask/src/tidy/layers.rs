//! Which crate may know which, and what the engine must never know.

/// One member that depends on another.
#[derive(Debug)]
pub(super) struct Arrow {
    pub(super) from: String,
    pub(super) to: String,
    pub(super) in_tests: bool,
}

impl Arrow {
    /// A member by itself.
    pub(super) fn none(name: &str) -> Self {
        Self {
            from: name.to_owned(),
            to: name.to_owned(),
            in_tests: false,
        }
    }
}

/// The arrows that are allowed: who, and whom it may depend on. All bear the prefix `vestibule-`.
const ALLOWED: [(&str, &[&str]); 15] = [
    ("wire", &[]),
    ("engine", &[]),
    ("store", &["engine"]),
    ("store-memory", &["engine", "store"]),
    ("store-sql", &["engine", "store"]),
    ("store-sqlite", &["engine", "store", "store-sql"]),
    ("store-postgres", &["engine", "store", "store-sql"]),
    ("radius", &[]),
    ("service", &["engine", "radius", "store"]),
    ("http", &["engine", "service", "wire"]),
    ("server", &PRODUCT),
    ("testkit", &PRODUCT),
    ("fuzzing", &FUZZED),
    (
        "scenarios",
        &["store", "store-postgres", "store-sqlite", "testkit", "wire"],
    ),
    ("loadgen", &["testkit", "wire"]),
];

/// All that the program is made of.
const PRODUCT: [&str; 11] = [
    "wire",
    "engine",
    "store",
    "store-memory",
    "store-sql",
    "store-sqlite",
    "store-postgres",
    "radius",
    "service",
    "http",
    "server",
];

/// What reads hostile octets, and what a site is made of to give them to.
const FUZZED: [&str; 9] = [
    "wire",
    "engine",
    "store",
    "store-memory",
    "radius",
    "service",
    "http",
    "server",
    "testkit",
];

/// What tests may use besides: the test kit, and a store to run over.
const IN_TESTS: [&str; 3] = ["store", "store-memory", "testkit"];

/// Every arrow that is not in the table.
pub(super) fn arrows(arrows: &[Arrow]) -> Vec<String> {
    arrows.iter().filter_map(forbidden).collect()
}

fn forbidden(arrow: &Arrow) -> Option<String> {
    let Arrow { from, to, in_tests } = arrow;
    if from == "xtask" {
        return (to != from).then(|| format!("xtask -> {to}: it builds what it judges"));
    }
    let allowed = ALLOWED.iter().find(|(name, _)| is_called(from, name));
    let Some((name, allowed)) = allowed else {
        return Some(format!("{from}: is not in the table of layers"));
    };
    let in_tests = *in_tests && !["loadgen", "scenarios"].contains(name);
    let is_allowed = to == from
        || allowed.iter().any(|name| is_called(to, name))
        || in_tests && IN_TESTS.iter().any(|name| is_called(to, name));
    (!is_allowed).then(|| format!("{from} -> {to}: is not in the table of layers"))
}

fn is_called(package: &str, name: &str) -> bool {
    package.strip_prefix("vestibule-") == Some(name)
}

/// Lists the engine's dependencies, as those get it who depend on nothing else of ours.
pub(super) const ENGINE_TREE: [&str; 10] = [
    "tree",
    "--package",
    "vestibule-engine",
    "--edges",
    "normal",
    "--target",
    "all",
    "--prefix",
    "none",
    "--all-features",
];

/// I/O, clocks, randomness and formats: what a pure crate has no use for.
const IMPURE: [&str; 14] = [
    "async-std",
    "axum",
    "chrono",
    "getrandom",
    "hyper",
    "log",
    "rand",
    "rand_core",
    "reqwest",
    "serde",
    "serde_core",
    "sqlx",
    "tokio",
    "tracing",
];

/// What the engine depends on and must not.
pub(super) fn impurities(tree: &str) -> Vec<String> {
    let mut names: Vec<_> = tree
        .lines()
        .filter_map(|line| line.split(' ').next())
        .collect();
    names.sort_unstable();
    names.dedup();
    let impure = names.into_iter().filter(|name| IMPURE.contains(name));
    impure
        .map(|name| format!("vestibule-engine -> {name}: the engine is pure"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(from: &str, to: &str, normally: bool, in_tests: bool) {
        for (with_tests, expected) in [(false, normally), (true, in_tests)] {
            let arrow = Arrow {
                from: from.to_owned(),
                to: to.to_owned(),
                in_tests: with_tests,
            };
            assert_eq!(
                arrows(&[arrow]).is_empty(),
                expected,
                "{from} -> {to} {with_tests}"
            );
        }
    }

    #[test]
    fn the_table_is_kept() {
        check("vestibule-http", "vestibule-service", true, true);
        check("vestibule-http", "vestibule-store-sqlite", false, false);
        check("vestibule-engine", "vestibule-store", false, true);
        check("vestibule-engine", "vestibule-service", false, false);
        check("vestibule-wire", "vestibule-engine", false, false);
        check("vestibule-radius", "vestibule-engine", false, false);
        check("vestibule-server", "vestibule-http", true, true);
        check("vestibule-scenarios", "vestibule-engine", false, false);
        check("vestibule-scenarios", "vestibule-testkit", true, true);
        check("vestibule-loadgen", "vestibule-testkit", true, true);
        check("vestibule-loadgen", "vestibule-service", false, false);
        check("vestibule-fuzzing", "vestibule-http", true, true);
        check("vestibule-server", "vestibule-fuzzing", false, false);
        check("xtask", "vestibule-engine", false, false);
    }

    #[test]
    fn the_test_kit_is_for_tests() {
        check("vestibule-http", "vestibule-testkit", false, true);
        check("vestibule-server", "vestibule-testkit", false, true);
        check("vestibule-testkit", "vestibule-server", true, true);
    }

    #[test]
    fn a_crate_that_is_not_in_the_table_is_found() {
        assert_eq!(arrows(&[Arrow::none("vestibule-utils")]).len(), 1);
        assert!(arrows(&[Arrow::none("vestibule-wire"), Arrow::none("xtask")]).is_empty());
    }

    #[test]
    fn an_impure_engine_is_found() {
        let tree = "vestibule-engine v0.1.0 (/x)\nsha2 v0.11.0\ntokio v1.0.0\ntokio v1.0.0 (*)\n";
        assert_eq!(
            impurities(tree),
            ["vestibule-engine -> tokio: the engine is pure"]
        );
        assert!(impurities("vestibule-engine v0.1.0 (/x)\nlogic v1.0.0\n").is_empty());
    }
}
