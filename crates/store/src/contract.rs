//! The contract: what every store is tested for.
//!
//! Each function is one promise of the traits. [`store_contract!`](crate::store_contract) makes
//! tests of all of them for one store, [`durable_store_contract!`](crate::durable_store_contract)
//! those of what outlives the process.

#![expect(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "these are the bodies of tests"
)]

mod cast;
mod checks;
mod radius_cast;

pub mod account_changes;
pub mod accounts;
pub mod audit;
pub mod durable;
pub mod finish;
pub mod first_factors;
pub mod identity_providers;
pub mod keys;
pub mod list_filters;
pub mod lists;
pub mod locks;
pub mod provider_lists;
pub mod providers;
pub mod pushes;
pub mod races;
pub mod redemption_races;
pub mod redemptions;
pub mod roles;
pub mod sealed_things;
pub mod second_factors;
pub mod session_starts;
pub mod settings;
pub mod settlements;
pub mod snapshots;
pub mod stress;
pub mod tokens;
pub mod user_changes;

use std::sync::Arc;

use async_trait::async_trait;

use crate::Store;

/// An empty store to be tested. Dropping it cleans up.
pub trait Fixture: Send + Sync {
    /// The store.
    fn store(&self) -> Arc<dyn Store>;
}

/// A store whose database can be opened once more.
#[async_trait]
pub trait Durable: Fixture {
    /// Gives up the fixture's own store without closing it, as a process does that crashes.
    fn abandon(&self);

    /// Opens the database again, as another process would.
    async fn reopen(&self) -> Arc<dyn Store>;
}

/// Makes a test of each promise. `$fresh` is an async function without arguments that gives a
/// [`Fixture`](crate::contract::Fixture).
#[macro_export]
macro_rules! store_contract {
    ($fresh:ident) => {
        $crate::contract_tests! { $fresh, store;
            accounts: {
                a_user_is_read_back
                a_user_is_there_once_one_was_made
                an_id_is_taken_once
                a_name_is_taken_in_every_spelling
                of_many_who_take_a_name_one_gets_it
                a_name_that_nobody_can_bear_is_nobodys
            }
            audit: {
                a_row_is_read_back
                a_row_is_there_if_it_was_done
                rows_are_listed_and_found
                rows_are_sealed_once
                of_concurrent_seals_one_is_stored
                concurrent_rows_are_all_numbered
            }
            user_changes: {
                a_user_is_replaced_as_a_whole
                a_replacement_ends_sessions
                a_write_rests_on_the_authority
                a_replacement_takes_no_name
                another_name_ends_an_exemption
                one_who_may_do_everything_stays
                of_all_who_may_do_everything_one_stays
            }
            roles: {
                the_built_in_roles_are_there
                a_role_is_read_back
                a_role_is_replaced_and_removed
                roles_of_one_name_exclude_each_other
                a_write_to_a_role_rests_on_the_authority
                a_role_that_is_held_stays
                a_role_that_is_needed_stays
                of_two_who_may_do_everything_one_stays
                of_a_role_and_who_is_made_with_it_one_is_refused
                a_bearer_may_do_what_the_roles_allow
            }
            account_changes: {
                a_new_password_ends_sessions_and_failures
                disabling_ends_sessions
                enabling_ends_nothing
                unlocking_ends_failures_and_keeps_the_seed
                an_exemption_until_is_kept
                removing_a_user_removes_all_that_is_the_users
                a_name_that_is_free_again_is_another_user
            }
            first_factors: {
                nobody_has_no_standing
                a_standing_shows_what_decides
                failures_of_the_account_are_counted_from_what_they_were
                failures_of_a_device_are_its_own
                of_concurrent_failures_one_is_counted
                devices_of_long_ago_are_forgotten_a_few_at_a_time
            }
            session_starts: {
                a_session_ends_the_failures_of_the_account
                a_session_from_a_known_device_ends_both_failures
                a_session_is_refused_when_something_moved
                a_session_from_a_device_is_refused_when_something_moved
            }
            second_factors: {
                who_never_had_a_factor_has_the_default
                a_seed_is_proposed_and_replaced
                a_proposal_is_refused_when_something_moved
                of_concurrent_proposals_one_is_kept
                a_reset_leaves_nothing_but_the_revision
                a_reset_without_a_seed_says_so
            }
            settlements: {
                a_settlement_stores_its_budget
                a_settlement_needs_no_seed
                a_settlement_may_end_the_partial_token_of_its_session
                a_settlement_is_refused_when_something_moved
                of_concurrent_settlements_one_is_stored
                a_dialogue_is_kept_with_its_partial_token
                a_dialogue_ends_with_its_token
            }
            finish: {
                the_first_code_verifies_the_seed
                a_later_code_claims_its_step
                a_finish_rotates_the_token_and_no_other
                a_finish_notes_the_device_when_told
                a_finish_is_refused_when_something_moved
                a_step_is_claimed_once
                a_step_is_claimed_by_one_of_many_sessions
                a_partial_token_is_spent_once
                a_settlement_and_a_finish_of_one_revision_exclude_each_other
            }
            redemptions: {
                an_acceptance_is_redeemed
                a_redemption_notes_the_device_when_told
                a_redemption_is_refused_when_something_moved
                a_redemption_is_refused_when_its_provider_moved
                a_partial_token_is_redeemed_once
                writes_of_one_revision_exclude_each_other
            }
            pushes: {
                a_push_is_read_back
                a_push_is_seen_in_the_revision
                a_push_is_refused_when_something_moved
                of_concurrent_pushes_one_is_started
                a_push_ends_once
                a_push_is_collected
                useless_pushes_are_removed_a_few_at_a_time
                pushes_end_with_their_user
            }
            providers: {
                the_built_in_providers_are_there
                a_provider_is_read_back
                an_id_and_a_name_are_taken_once
                of_many_who_name_a_provider_alike_one_does
                a_provider_is_replaced
                a_replacement_is_refused_when_something_moved
                of_concurrent_replacements_one_is_written
                a_provider_is_removed_unless_it_is_due
            }
            provider_lists: {
                providers_are_listed_in_every_order
                a_range_of_providers_includes_both_ends
                providers_are_found_by_everything_that_names_them
            }
            identity_providers: {
                the_local_provider_is_there
                the_local_provider_is_replaced
                a_standing_has_the_lockout_of_the_moment
                concurrent_replacements_do_not_mix
            }
            tokens: {
                nobody_bears_an_unknown_token
                a_bearer_is_known_with_everything
                a_token_is_minted_in_the_session
                a_mint_notes_the_device_when_told
                a_mint_is_refused_when_something_moved
                an_ended_session_has_no_tokens
                expired_tokens_are_removed_a_few_at_a_time
            }
            settings: {
                settings_are_none_until_written
                settings_are_read_back_as_written
                an_exemption_is_bound_to_who_bears_the_name
                an_exemption_by_a_free_name_is_nobodys
                an_exemption_ends_with_its_user
                another_provider_ends_partial_tokens
                the_same_or_no_provider_ends_nothing
                settings_name_a_provider_that_is_there
                concurrent_settings_do_not_mix
            }
            lists: {
                users_are_listed_by_name
                users_are_listed_by_their_times
                a_range_includes_both_ends
                a_range_beyond_the_end_is_empty
                pages_do_not_overlap
                all_queries_must_occur
                wildcards_mean_themselves
                users_are_found_by_everything_that_names_them
                seeds_are_listed_by_the_name_of_the_user
            }
            list_filters: {
                every_filter_must_hold
                a_scope_shows_and_counts_what_it_holds
                seeds_are_filtered_by_their_user
                a_changed_object_is_found_as_it_is
            }
            keys: {
                the_first_canary_stays
                of_concurrent_canaries_one_stays
                a_key_is_announced_before_it_is_used
                of_concurrent_beginnings_one_is_written
                servers_say_which_key_they_use
                a_store_that_works_says_so
            }
            sealed_things: {
                what_a_key_has_sealed_is_found
                secrets_are_sealed_anew_in_their_places
                what_changed_meanwhile_is_not_sealed_anew
                a_key_is_retired_when_nothing_needs_it
                what_a_retired_key_leaves_is_sealed_anew
                no_seal_of_a_retired_key_comes_later
                nothing_passes_the_retirement_of_a_key
            }
            races: {
                no_mint_passes_the_end_of_a_session
                no_mint_passes_a_disabling
                no_mint_passes_a_removal
                no_mint_passes_a_new_password
                no_finish_passes_the_end_of_a_session
                no_finish_passes_a_disabling
                no_finish_passes_a_removal
                no_finish_passes_a_reset
                no_session_starts_past_a_disabling
                no_session_starts_past_a_removal
                no_session_starts_past_a_new_password
                all_at_once_ends_well
                writes_at_once_fit_into_one_order
            }
            redemption_races: {
                no_redemption_passes_the_end_of_a_session
                no_redemption_passes_a_disabling
                no_redemption_passes_a_removal
                no_redemption_passes_a_new_password
                no_redemption_passes_a_reset
                no_redemption_passes_another_provider
                no_redemption_passes_a_replaced_provider
                a_removal_and_a_setting_exclude_each_other
            }
        }
    };
}

/// Makes a test of each promise about what outlives the process. `$fresh` is an async function
/// without arguments that gives a [`Durable`](crate::contract::Durable).
#[macro_export]
macro_rules! durable_store_contract {
    ($fresh:ident) => {
        $crate::contract_tests! { $fresh, fixture;
            durable: {
                what_was_acknowledged_is_there_after_a_crash
                every_answer_is_seen_by_another_process
                what_is_not_written_down_is_not_done
            }
        }
    };
}

/// Makes the tests of both macros above.
#[doc(hidden)]
#[macro_export]
macro_rules! contract_tests {
    ($fresh:ident, $subject:ident; $($module:ident: { $($promise:ident)+ })+) => {$(
        mod $module {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $promise() {
                    $crate::contract_test!($fresh, $subject, $module, $promise);
                }
            )+
        }
    )+};
}

/// The body of one test.
#[doc(hidden)]
#[macro_export]
macro_rules! contract_test {
    ($fresh:ident, store, $module:ident, $promise:ident) => {
        let fixture = super::$fresh().await;
        let store = $crate::contract::Fixture::store(&fixture);
        $crate::contract::$module::$promise(::std::sync::Arc::clone(&store)).await;
        store.close().await;
    };
    ($fresh:ident, fixture, $module:ident, $promise:ident) => {
        let fixture = super::$fresh().await;
        $crate::contract::$module::$promise(&fixture).await;
    };
}

#[cfg(test)]
mod tests {
    /// A promise that the macros do not name would never be tested.
    #[test]
    fn every_promise_is_tested() {
        let list = include_str!("contract.rs");
        for file in [
            include_str!("contract/account_changes.rs"),
            include_str!("contract/accounts.rs"),
            include_str!("contract/audit.rs"),
            include_str!("contract/durable.rs"),
            include_str!("contract/finish.rs"),
            include_str!("contract/first_factors.rs"),
            include_str!("contract/identity_providers.rs"),
            include_str!("contract/keys.rs"),
            include_str!("contract/lists.rs"),
            include_str!("contract/provider_lists.rs"),
            include_str!("contract/providers.rs"),
            include_str!("contract/pushes.rs"),
            include_str!("contract/races.rs"),
            include_str!("contract/redemption_races.rs"),
            include_str!("contract/redemptions.rs"),
            include_str!("contract/sealed_things.rs"),
            include_str!("contract/second_factors.rs"),
            include_str!("contract/session_starts.rs"),
            include_str!("contract/settings.rs"),
            include_str!("contract/settlements.rs"),
            include_str!("contract/tokens.rs"),
            include_str!("contract/user_changes.rs"),
        ] {
            for (_, rest) in file
                .match_indices("pub async fn ")
                .map(|(n, _)| file.split_at(n))
            {
                let name = rest["pub async fn ".len()..].split('(').next().unwrap();
                let listed = format!("                {name}\n");
                assert!(list.contains(&listed), "{name} is not in a macro");
            }
        }
    }
}
