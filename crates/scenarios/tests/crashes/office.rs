//! The administrator: settings and users that are changed under load.

use serde_json::json;
use vestibule_testkit::client::Client;
use vestibule_testkit::random::SeededRandom;

use crate::database::Database;
use crate::load::Load;

const LOCAL: &str = "/admin/identity-providers/b5ea7cf0-6e75-11e4-9803-0800200c9a66";

/// The notes of a new database.
const NOTES: &str = "Built-in Identity Provider on local database.";
/// Requests of others between two changes, at most.
const MEANWHILE: usize = 12;

/// What the administrator did.
pub(crate) struct Office {
    dice: SeededRandom,
    /// What the notes of the identity provider may be: what was acknowledged, or in doubt since.
    notes: Vec<String>,
    /// The users that were made.
    users: Vec<String>,
    number: u64,
}

impl Office {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            dice: SeededRandom::new(seed),
            notes: vec![NOTES.to_owned()],
            users: Vec::new(),
            number: 0,
        }
    }

    /// Works until the round is over, or an answer fails to come.
    pub(crate) async fn work(&mut self, load: &Load<'_>) {
        while load.goes_on() {
            // One among many.
            load.pass(self.dice.below(MEANWHILE)).await;
            self.number += 1;
            let done = if self.dice.below(4) == 0 {
                self.make_user(load).await
            } else {
                self.change_settings(load).await
            };
            if done.is_none() {
                return;
            }
        }
    }

    async fn make_user(&mut self, load: &Load<'_>) -> Option<()> {
        let name = format!("new-{}", self.number);
        // Without a password: nobody waits for its hash.
        let user = json!({ "name": name, "firstName": "F", "lastName": "L", "password": "" });
        let answer = load
            .ask(&self.dice, |client| {
                let call = client.call("POST", "/admin/local-users");
                call.bearer_auth(load.admin).json(&user)
            })
            .await?;
        load.ledger.audited(answer.is(200));
        load.ledger.counted(|counts| counts.settings += 1);
        self.users.push(name);
        Some(())
    }

    async fn change_settings(&mut self, load: &Load<'_>) -> Option<()> {
        let notes = format!("change {}", self.number);
        self.notes.push(notes.clone());
        let settings = json!({
            "name": "local", "type": "LocalDatabase", "adminProvider": true, "notes": notes,
        });
        let answer = load
            .ask(&self.dice, |client| {
                let call = client.call("PUT", LOCAL);
                call.bearer_auth(load.admin).json(&settings)
            })
            .await?;
        load.ledger.audited(answer.is(200));
        load.ledger.counted(|counts| counts.settings += 1);
        self.notes = vec![notes];
        Some(())
    }

    /// Checks that all that was acknowledged is there.
    pub(crate) async fn check(&mut self, client: &Client, admin: &str, database: &mut Database) {
        let found = client.get(LOCAL, admin).await.is(200).json();
        let found = found["notes"].as_str().unwrap().to_owned();
        assert!(self.notes.contains(&found), "{found} of {:?}", self.notes);
        // What was in doubt is decided.
        self.notes = vec![found];
        let users = database.users().await;
        let lost: Vec<_> = self
            .users
            .iter()
            .filter(|name| !users.contains(*name))
            .collect();
        assert!(lost.is_empty(), "lost users: {lost:?}");
    }
}
