//! Users who are replaced as a whole, and that one always stays who may do everything.

use std::sync::Arc;

use uuid::Uuid;
use vestibule_engine::role::{API_ACCESS, SYSTEM_ADMINISTRATION};
use vestibule_engine::{User, UserId, UserName};

use super::cast::{Actor, Shared, add, at, failed, key, new_user, password};
use super::checks::{at_once, authority, disable, is_alive, picture, remove, set};
use crate::{
    AdminMfaChange, Authority, Creation, FactorReset, ListQuery, PasswordHash, Store, UserChange,
    UserWrite,
};

/// A change of a user as the user is now.
fn change(user: &User, authority: Authority) -> UserChange {
    UserChange {
        user: user.clone(),
        password: None,
        authority,
    }
}

/// A change of a user as the user is now, at the present authority.
async fn change_now(store: &Shared, id: UserId) -> UserChange {
    change(&read(store, id).await, authority(store).await)
}

async fn read(store: &Shared, id: UserId) -> User {
    store.user(id).await.unwrap().unwrap()
}

#[track_caller]
fn check(answer: UserWrite, expected: UserWrite, what: &str) {
    assert_eq!(answer, expected, "{what}");
}

async fn replace(store: &Shared, change: &UserChange, expected: UserWrite) {
    let answer = store.replace_user(change, &[]).await.unwrap();
    check(answer, expected, change.user.name.as_str());
}

async fn administrator(store: &Shared, n: u64, name: &str) -> UserId {
    let mut new = new_user(n, name);
    new.user.roles = vec![SYSTEM_ADMINISTRATION];
    assert_eq!(store.add_user(&new, &[]).await.unwrap(), Creation::Created);
    new.user.id
}

/// A user is replaced with everything but when the user was made and until when an operator has
/// let the user off; the password stays where there is no other, and so do sessions.
pub async fn a_user_is_replaced_as_a_whole(store: Arc<dyn Store>) {
    let alice = Actor::sign_in(&store, add(&store, 1, "alice").await, 1).await;
    assert!(
        store
            .set_exempt_until(alice.user, Some(at(60)), at(1), &[])
            .await
            .unwrap()
    );
    let before = read(&store, alice.user).await;
    let new = User {
        name: UserName::new("Älice").unwrap(),
        first_name: "Al\"ice".to_owned(),
        last_name: "O'Hara".to_owned(),
        email: Some("a@example.org".to_owned()),
        phone: Some("+41".to_owned()),
        notes: "needle".to_owned(),
        tags: vec!["a,{\"b\"}\\'".to_owned()],
        password_failures: failed(7),
        roles: vec![API_ACCESS, SYSTEM_ADMINISTRATION],
        exempt_until: None,
        created: at(9),
        updated: at(9),
        ..before.clone()
    };
    let first = UserChange {
        user: new.clone(),
        ..change(&before, authority(&store).await)
    };
    replace(&store, &first, UserWrite::Done).await;

    let expected = User {
        exempt_until: before.exempt_until,
        created: before.created,
        ..new
    };
    assert_eq!(read(&store, alice.user).await, expected);
    let named = store.user_by_name(&key("älice")).await.unwrap();
    assert_eq!(named.as_ref(), Some(&expected));
    assert_eq!(store.user_by_name(&key("alice")).await.unwrap(), None);
    let query = ListQuery {
        queries: vec!["needle".to_owned()],
        ..ListQuery::default()
    };
    assert_eq!(store.users(&query).await.unwrap().items, [expected]);
    let standing = store.password_standing(&key("Älice"), alice.device()).await;
    let standing = standing.unwrap().unwrap();
    assert_eq!(standing.password, Some(password(alice.user)));
    assert!(is_alive(&store, alice.partial()).await);

    let nobody = UserId::from_uuid(Uuid::from_u128(99));
    assert_eq!(store.user(nobody).await.unwrap(), None);
}

/// A new password, and to be disabled, end the sessions of the user and of nobody else.
pub async fn a_replacement_ends_sessions(store: Arc<dyn Store>) {
    let bob = Actor::sign_in(&store, add(&store, 2, "bob").await, 3).await;
    let alice = Actor::sign_in(&store, add(&store, 1, "alice").await, 1).await;
    let new = PasswordHash::new("new");
    let with_password = UserChange {
        password: Some(new.clone()),
        ..change_now(&store, alice.user).await
    };
    replace(&store, &with_password, UserWrite::Done).await;
    assert!(!is_alive(&store, alice.partial()).await);
    let standing = store.password_standing(&key("alice"), alice.device()).await;
    assert_eq!(standing.unwrap().unwrap().password, Some(new));

    let again = Actor::sign_in(&store, bob.user, 4).await;
    let mut disabled = change_now(&store, bob.user).await;
    disabled.user.disabled = true;
    replace(&store, &disabled, UserWrite::Done).await;
    for token in [bob.partial(), again.partial()] {
        assert!(!is_alive(&store, token).await);
    }
    assert!(read(&store, bob.user).await.disabled);
}

/// Nothing is written that was decided at another authority, which grows with other roles of
/// anybody; and neither is who is gone.
pub async fn a_write_rests_on_the_authority(store: Arc<dyn Store>) {
    let alice = Actor {
        user: administrator(&store, 1, "alice").await,
        n: 1,
    };
    let bob = administrator(&store, 2, "bob").await;
    let old = authority(&store).await;
    let mut stripped = change_now(&store, bob).await;
    replace(&store, &stripped, UserWrite::Done).await;
    assert_eq!(authority(&store).await, old);
    stripped.user.roles.clear();
    replace(&store, &stripped, UserWrite::Done).await;
    let new = authority(&store).await;
    assert!(new > old);

    let before = picture(&store, alice).await;
    let user = read(&store, alice.user).await;
    replace(&store, &change(&user, old), UserWrite::Moved).await;
    let removal = store.remove_user(alice.user, Some(old), &[]).await.unwrap();
    check(removal, UserWrite::Moved, "a removal");
    let reset = store
        .reset_factor(alice.user, Some(old), &[])
        .await
        .unwrap();
    assert_eq!(reset, FactorReset::Moved);
    let mut carol = new_user(3, "carol");
    carol.authority = Some(old);
    assert_eq!(store.add_user(&carol, &[]).await.unwrap(), Creation::Moved);
    assert_eq!(picture(&store, alice).await, before);
    assert_eq!(store.user(carol.user.id).await.unwrap(), None);

    carol.authority = Some(new);
    assert_eq!(
        store.add_user(&carol, &[]).await.unwrap(),
        Creation::Created
    );
    let reset = store
        .reset_factor(alice.user, Some(new), &[])
        .await
        .unwrap();
    assert_eq!(reset, FactorReset::NoSeed);
    let carol = carol.user.id;
    let change = change_now(&store, carol).await;
    let removal = store.remove_user(carol, Some(new), &[]).await.unwrap();
    check(removal, UserWrite::Done, "a removal");
    replace(&store, &change, UserWrite::Moved).await;
    assert_eq!(store.user(carol).await.unwrap(), None);
}

/// Nobody gets the name of another, in any spelling; everybody may spell their own anew.
pub async fn a_replacement_takes_no_name(store: Arc<dyn Store>) {
    let alice = Actor {
        user: add(&store, 1, "alice").await,
        n: 1,
    };
    add(&store, 2, "bob").await;
    let before = picture(&store, alice).await;
    let mut renamed = change_now(&store, alice.user).await;
    renamed.user.name = UserName::new("BOB").unwrap();
    replace(&store, &renamed, UserWrite::NameTaken).await;
    assert_eq!(picture(&store, alice).await, before);
    renamed.user.name = UserName::new("ALICE").unwrap();
    replace(&store, &renamed, UserWrite::Done).await;
    assert_eq!(read(&store, alice.user).await.name.as_str(), "ALICE");
}

/// Who gets another name is exempt no longer, whoever gets the old one is not either; another
/// spelling changes nothing.
pub async fn another_name_ends_an_exemption(store: Arc<dyn Store>) {
    let alice = Actor::sign_in(&store, add(&store, 1, "alice").await, 1).await;
    let settings = AdminMfaChange {
        provider: None,
        exempted: vec![("CN=alice,OU=local".to_owned(), Some(key("alice")))],
    };
    set(&store, &settings).await;
    let is_exempt = async |actor: Actor| actor.bearer(&store).await.exemption.listed;
    let rename = async |name: &str| {
        let mut renamed = change_now(&store, alice.user).await;
        renamed.user.name = UserName::new(name).unwrap();
        replace(&store, &renamed, UserWrite::Done).await;
    };
    rename("Alice").await;
    assert!(is_exempt(alice).await);
    rename("carol").await;
    assert!(!is_exempt(alice).await);
    let other = Actor::sign_in(&store, add(&store, 2, "alice").await, 2).await;
    assert!(!is_exempt(other).await);
    remove(&store, other.user).await;
    rename("alice").await;
    assert!(!is_exempt(alice).await);
}

/// The last enabled user who may do everything is neither disabled, nor stripped, nor deleted.
pub async fn one_who_may_do_everything_stays(store: Arc<dyn Store>) {
    let alice = Actor {
        user: administrator(&store, 1, "alice").await,
        n: 1,
    };
    add(&store, 2, "bob").await;
    let carol = administrator(&store, 3, "carol").await;
    disable(&store, carol, true, at(1)).await;
    let before = picture(&store, alice).await;
    let now = authority(&store).await;
    let mut stripped = change_now(&store, alice.user).await;
    let mut disabled = stripped.clone();
    stripped.user.roles.clear();
    disabled.user.disabled = true;
    for change in [&stripped, &disabled] {
        replace(&store, change, UserWrite::LastAdministrator).await;
    }
    let answer = store
        .set_disabled(alice.user, true, at(1), &[])
        .await
        .unwrap();
    check(answer, UserWrite::LastAdministrator, "disabled");
    for authority in [None, Some(now)] {
        let answer = store.remove_user(alice.user, authority, &[]).await.unwrap();
        check(answer, UserWrite::LastAdministrator, "removed");
    }
    assert_eq!(picture(&store, alice).await, before);

    disable(&store, carol, false, at(2)).await;
    replace(&store, &stripped, UserWrite::Done).await;
    let answer = store.remove_user(carol, None, &[]).await.unwrap();
    check(answer, UserWrite::LastAdministrator, "the other one");
}

/// Of all who may do everything and are stripped, disabled and deleted at once, one stays.
pub async fn of_all_who_may_do_everything_one_stays(store: Arc<dyn Store>) {
    let mut left = None;
    for round in 1..=12_u64 {
        let mut all = Vec::new();
        for n in 1..=3 {
            let id = 100 * round + n;
            all.push(administrator(&store, id, &format!("admin {id}")).await);
        }
        if let Some(left) = left {
            remove(&store, left).await;
        }
        let writes = all.iter().enumerate().map(|(n, &user)| {
            let store = Arc::clone(&store);
            async move {
                match n {
                    0 => store.set_disabled(user, true, at(1), &[]).await.unwrap(),
                    1 => store.remove_user(user, None, &[]).await.unwrap(),
                    _ => {
                        let mut stripped = change_now(&store, user).await;
                        stripped.user.roles.clear();
                        store.replace_user(&stripped, &[]).await.unwrap()
                    }
                }
            }
        });
        let answers = at_once(writes).await;
        let done = answers.iter().filter(|answer| **answer == UserWrite::Done);
        assert_eq!(done.count(), 2, "{answers:?}");
        let stayed = answers
            .iter()
            .position(|answer| *answer == UserWrite::LastAdministrator);
        left = stayed.and_then(|n| all.get(n).copied());
        let left = read(&store, left.unwrap()).await;
        assert!(left.holds_one_of(&[SYSTEM_ADMINISTRATION]));
    }
}
