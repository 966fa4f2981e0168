//! Administrative roles, and what rests on them.

use std::sync::Arc;

use uuid::Uuid;
use vestibule_engine::privilege::{
    ApplianceFunction, Privilege, PrivilegeType, Privileges, Scope, Target,
};
use vestibule_engine::role::{API_ACCESS, SYSTEM_ADMINISTRATION, built_in};
use vestibule_engine::{Role, RoleId, UserId};

use super::cast::{Actor, Shared, add, at, new_user};
use super::checks::{at_once, authority, disable};
use crate::{Creation, ListQuery, RoleWrite, Store, UserChange, UserWrite};

fn id(n: u128) -> RoleId {
    RoleId::from_uuid(Uuid::from_u128(n))
}

/// A role with this number and name, whose holders may see users.
pub(super) fn role(n: u128, name: &str) -> Role {
    let view = Privilege::known(PrivilegeType::View, Target::LocalUser, Scope::All);
    Role {
        id: id(n),
        name: name.to_owned(),
        notes: String::new(),
        tags: Vec::new(),
        privileges: Privileges::new(vec![view.unwrap()]),
        created: at(1),
        updated: at(1),
    }
}

fn everything(n: u128, name: &str) -> Role {
    Role {
        privileges: Privileges::new(vec![Privilege::everything()]),
        ..role(n, name)
    }
}

async fn made(store: &Shared, role: &Role) -> RoleWrite {
    let authority = authority(store).await;
    store.add_role(role, authority, &[]).await.unwrap()
}

async fn replaced(store: &Shared, role: &Role) -> RoleWrite {
    let authority = authority(store).await;
    store.replace_role(role, authority, &[]).await.unwrap()
}

async fn removed(store: &Shared, role: RoleId) -> RoleWrite {
    let authority = authority(store).await;
    store.remove_role(role, authority, &[]).await.unwrap()
}

async fn holder(store: &Shared, n: u64, name: &str, roles: &[RoleId]) -> UserId {
    let mut new = new_user(n, name);
    new.user.roles = roles.to_vec();
    assert_eq!(store.add_user(&new, &[]).await.unwrap(), Creation::Created);
    new.user.id
}

/// The roles that are built in are there from the beginning, as they are known to the engine.
pub async fn the_built_in_roles_are_there(store: Arc<dyn Store>) {
    for role in built_in() {
        assert_eq!(store.role(role.id).await.unwrap(), Some(role));
    }
    let list = store.roles(&ListQuery::default()).await.unwrap();
    let names: Vec<_> = list.items.iter().map(|role| role.name.as_str()).collect();
    assert_eq!(names, ["Api Access", "System Administration"]);
    assert_eq!((list.matching, list.total), (2, 2));
    assert_eq!(store.role(id(7)).await.unwrap(), None);
}

/// A role is read back with every privilege in order, and every part of each.
pub async fn a_role_is_read_back(store: Arc<dyn Store>) {
    let ids: Vec<_> = [9, 3].map(Uuid::from_u128).into();
    let tags: Vec<_> = ["b\"", "ä"].map(str::to_owned).into();
    let scope = Scope::Some {
        ids,
        tags: tags.clone(),
    };
    let view = Privilege::known(PrivilegeType::View, Target::LocalUser, scope).unwrap();
    let create = Privilege::known(PrivilegeType::Create, Target::Site, Scope::nothing()).unwrap();
    let assign = Privilege::known(PrivilegeType::AssignFunction, Target::All, Scope::All).unwrap();
    let functions = vec![
        ApplianceFunction::Portal,
        ApplianceFunction::MetricsAggregator,
    ];
    let whole = Role {
        notes: "notes\nof 'it'".to_owned(),
        tags: tags.clone(),
        privileges: Privileges::new(vec![
            view,
            create.with_default_tags(tags),
            assign.with_functions(functions),
        ]),
        updated: at(2),
        ..role(7, "Ope\"rator")
    };
    assert_eq!(made(&store, &whole).await, RoleWrite::Done);
    assert_eq!(store.role(id(7)).await.unwrap().as_ref(), Some(&whole));
    let holdings = store.holdings(&[id(8), id(7), API_ACCESS]).await.unwrap();
    let found: Vec<_> = holdings.roles.iter().map(|role| role.id).collect();
    assert_eq!(found, [id(7), API_ACCESS]);
    assert_eq!(holdings.roles.first(), Some(&whole));
    let none = role(8, "none");
    let none = Role {
        privileges: Privileges::default(),
        ..none
    };
    assert_eq!(made(&store, &none).await, RoleWrite::Done);
    assert_eq!(store.role(id(8)).await.unwrap(), Some(none));
}

/// A role is replaced with everything but when it was made, and removed; each makes the authority
/// grow, which a new role does not.
pub async fn a_role_is_replaced_and_removed(store: Arc<dyn Store>) {
    let before = authority(&store).await;
    assert_eq!(made(&store, &role(7, "one")).await, RoleWrite::Done);
    assert_eq!(authority(&store).await, before);
    let new = Role {
        notes: "new".to_owned(),
        created: at(9),
        updated: at(9),
        ..everything(7, "Two")
    };
    assert_eq!(replaced(&store, &new).await, RoleWrite::Done);
    let between = authority(&store).await;
    assert!(between > before);
    let expected = Role {
        created: at(1),
        ..new
    };
    assert_eq!(store.role(id(7)).await.unwrap(), Some(expected));
    assert_eq!(removed(&store, id(7)).await, RoleWrite::Done);
    assert!(authority(&store).await > between);
    assert_eq!(store.role(id(7)).await.unwrap(), None);
    assert_eq!(removed(&store, id(7)).await, RoleWrite::Moved);
    assert_eq!(replaced(&store, &role(7, "one")).await, RoleWrite::Moved);
}

/// A name is taken in every spelling, an id once; a role may spell its own name anew.
pub async fn roles_of_one_name_exclude_each_other(store: Arc<dyn Store>) {
    assert_eq!(made(&store, &role(7, "One")).await, RoleWrite::Done);
    assert_eq!(made(&store, &role(8, "ONE")).await, RoleWrite::NameTaken);
    assert_eq!(made(&store, &role(7, "two")).await, RoleWrite::IdTaken);
    assert_eq!(made(&store, &role(8, "two")).await, RoleWrite::Done);
    assert_eq!(
        replaced(&store, &role(8, "one")).await,
        RoleWrite::NameTaken
    );
    assert_eq!(replaced(&store, &role(7, "ONE")).await, RoleWrite::Done);
    let many = (10..18).map(|n| {
        let store = Arc::clone(&store);
        async move { made(&store, &role(n, "many")).await }
    });
    let answers = at_once(many).await;
    let done = answers.iter().filter(|answer| **answer == RoleWrite::Done);
    assert_eq!(done.count(), 1, "{answers:?}");
}

/// Nothing is written that was decided at another authority.
pub async fn a_write_to_a_role_rests_on_the_authority(store: Arc<dyn Store>) {
    assert_eq!(made(&store, &role(7, "one")).await, RoleWrite::Done);
    let old = authority(&store).await;
    assert_eq!(replaced(&store, &role(7, "two")).await, RoleWrite::Done);
    let before = store.roles(&ListQuery::default()).await.unwrap();
    let answers = [
        store.add_role(&role(8, "eight"), old, &[]).await.unwrap(),
        store
            .replace_role(&role(7, "three"), old, &[])
            .await
            .unwrap(),
        store.remove_role(id(7), old, &[]).await.unwrap(),
    ];
    assert_eq!(answers, [RoleWrite::Moved; 3]);
    assert_eq!(store.roles(&ListQuery::default()).await.unwrap(), before);
    let answers = (0..8).map(|n| {
        let store = Arc::clone(&store);
        let now = before.clone();
        async move {
            let authority = authority(&store).await;
            let new = role(7, &format!("try {n} of {}", now.total));
            store.replace_role(&new, authority, &[]).await.unwrap()
        }
    });
    let answers = at_once(answers).await;
    assert!(answers.contains(&RoleWrite::Done), "{answers:?}");
}

/// A role that a user holds is not removed, enabled or not; afterwards it is.
pub async fn a_role_that_is_held_stays(store: Arc<dyn Store>) {
    assert_eq!(made(&store, &role(7, "one")).await, RoleWrite::Done);
    let alice = holder(&store, 1, "alice", &[API_ACCESS, id(7)]).await;
    assert_eq!(removed(&store, id(7)).await, RoleWrite::InUse);
    disable(&store, alice, true, at(1)).await;
    assert_eq!(removed(&store, id(7)).await, RoleWrite::InUse);
    let mut change = UserChange {
        user: store.user(alice).await.unwrap().unwrap(),
        password: None,
        authority: authority(&store).await,
    };
    change.user.roles = vec![API_ACCESS];
    assert_eq!(
        store.replace_user(&change, &[]).await.unwrap(),
        UserWrite::Done
    );
    assert_eq!(removed(&store, id(7)).await, RoleWrite::Done);
}

/// What the last enabled user holds who may do everything is not narrowed; another such role of
/// another enabled user is enough.
pub async fn a_role_that_is_needed_stays(store: Arc<dyn Store>) {
    assert_eq!(made(&store, &everything(7, "all")).await, RoleWrite::Done);
    holder(&store, 1, "alice", &[id(7)]).await;
    let bob = holder(&store, 2, "bob", &[SYSTEM_ADMINISTRATION]).await;
    disable(&store, bob, true, at(1)).await;
    let narrow = role(7, "narrow");
    assert_eq!(
        replaced(&store, &narrow).await,
        RoleWrite::LastAdministrator
    );
    assert_eq!(
        replaced(&store, &everything(7, "wide")).await,
        RoleWrite::Done
    );
    disable(&store, bob, false, at(2)).await;
    assert_eq!(replaced(&store, &narrow).await, RoleWrite::Done);
    let answer = store.set_disabled(bob, true, at(3), &[]).await.unwrap();
    assert_eq!(answer, UserWrite::LastAdministrator);
    assert_eq!(
        replaced(&store, &everything(7, "wide")).await,
        RoleWrite::Done
    );
    disable(&store, bob, true, at(4)).await;
}

/// When a role is narrowed while the other one who may do everything is disabled, one of the two
/// is refused.
pub async fn of_two_who_may_do_everything_one_stays(store: Arc<dyn Store>) {
    assert_eq!(made(&store, &role(7, "all")).await, RoleWrite::Done);
    let alice = holder(&store, 1, "alice", &[id(7)]).await;
    let bob = holder(&store, 2, "bob", &[SYSTEM_ADMINISTRATION]).await;
    for round in 1..=12 {
        assert_eq!(
            replaced(&store, &everything(7, "all")).await,
            RoleWrite::Done
        );
        let (one, other) = (Arc::clone(&store), Arc::clone(&store));
        let (narrowed, disabled) = tokio::join!(
            tokio::spawn(async move { replaced(&one, &role(7, "all")).await }),
            tokio::spawn(
                async move { other.set_disabled(bob, true, at(round), &[]).await.unwrap() }
            ),
        );
        let (narrowed, disabled) = (narrowed.unwrap(), disabled.unwrap());
        let done = [narrowed == RoleWrite::Done, disabled == UserWrite::Done];
        assert_ne!(done, [true; 2], "{narrowed:?} {disabled:?}");
        disable(&store, bob, false, at(round)).await;
        disable(&store, alice, false, at(round)).await;
    }
}

/// Nobody is made with a role that goes at the same moment.
pub async fn of_a_role_and_who_is_made_with_it_one_is_refused(store: Arc<dyn Store>) {
    for n in 1..=12_u64 {
        let spare = role(u128::from(n), &format!("spare {n}"));
        assert_eq!(made(&store, &spare).await, RoleWrite::Done);
        let mut new = new_user(n, &format!("user {n}"));
        new.user.roles = vec![spare.id];
        new.authority = Some(authority(&store).await);
        let (one, other) = (Arc::clone(&store), Arc::clone(&store));
        let (gone, made) = tokio::join!(
            tokio::spawn(async move { removed(&one, spare.id).await }),
            tokio::spawn(async move { other.add_user(&new, &[]).await.unwrap() }),
        );
        let done = (gone.unwrap(), made.unwrap());
        let expected = [
            (RoleWrite::Done, Creation::Moved),
            (RoleWrite::InUse, Creation::Created),
        ];
        assert!(expected.contains(&done), "{done:?}");
    }
}

/// A bearer may do what the roles allow at the moment, all of them together.
pub async fn a_bearer_may_do_what_the_roles_allow(store: Arc<dyn Store>) {
    let carol = add(&store, 3, "carol").await;
    let carol = Actor::sign_in(&store, carol, 3).await.bearer(&store).await;
    assert_eq!(carol.privileges, Privileges::default());
    let one = role(7, "one");
    assert_eq!(made(&store, &one).await, RoleWrite::Done);
    let alice = holder(&store, 1, "alice", &[SYSTEM_ADMINISTRATION, one.id]).await;
    let alice = Actor::sign_in(&store, alice, 1).await;
    let bearer = alice.bearer(&store).await;
    assert_eq!(bearer.authority, authority(&store).await);
    assert!(bearer.privileges.are_everything());
    assert_eq!(bearer.privileges.iter().count(), 2);
    let none = Role {
        privileges: Privileges::default(),
        ..one
    };
    assert_eq!(replaced(&store, &none).await, RoleWrite::Done);
    let bearer = alice.bearer(&store).await;
    assert_eq!(bearer.authority, authority(&store).await);
    assert_eq!(bearer.privileges.iter().count(), 1);
}
