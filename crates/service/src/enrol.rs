//! The start of a second factor that is a code: the seed that is shown, or none.

use tokio::task::spawn_blocking;
use tracing::info;
use vestibule_engine::audit::{Event, Outcome};
use vestibule_engine::enrolment::{Initialization, initialize};
use vestibule_engine::subject::LOCAL_PROVIDER;
use vestibule_engine::totp::{Label, SEED_LENGTH};
use vestibule_engine::{Secret, Seed, SeedId, Timestamp};
use vestibule_store::{Bearer, ProposedSeed, Swap};

use crate::barcode::barcode;
use crate::initialize::Initialized;
use crate::second_factor::SeedPlace;
use crate::{Inner, Origin, ServiceError};

/// How often a seed is proposed anew when something moved under it.
const MOST_TRIES: u8 = 16;

/// A seed, in every form that an authenticator takes.
#[derive(Debug)]
pub struct SecretShown {
    /// In base32.
    pub secret: Secret<String>,
    /// As a URL.
    pub otpauth_url: Secret<String>,
    /// The URL as a QR code in a JPEG, in base64.
    pub barcode: Secret<String>,
}

impl Inner {
    /// Shows a seed, unless the user has a verified one.
    pub(crate) async fn show_seed(
        &self,
        bearer: Bearer,
        host: &str,
        origin: Origin,
    ) -> Result<Initialized, ServiceError> {
        let (bearer, seed) = self.seed_to_show(bearer, origin).await?;
        let Some(seed) = seed else {
            return Ok(Initialized::AlreadySeeded);
        };
        let otpauth_url = seed.otpauth_url(&Label {
            user: bearer.user.name.as_str(),
            provider: LOCAL_PROVIDER,
            host,
            issuer: &self.policy.issuer,
        });
        // Some milliseconds of work, which must not keep others waiting.
        let drawn = spawn_blocking(move || barcode(&otpauth_url).map(|code| (otpauth_url, code)));
        let drawn = drawn.await;
        let (otpauth_url, barcode) =
            drawn.map_err(|gone| ServiceError::bug("a task ended early", gone))??;
        Ok(Initialized::Secret(SecretShown {
            secret: seed.base32(),
            otpauth_url,
            barcode,
        }))
    }

    /// The seed to show, or none when the user has a verified one. For that this is a read.
    async fn seed_to_show(
        &self,
        mut bearer: Bearer,
        origin: Origin,
    ) -> Result<(Bearer, Option<Seed>), ServiceError> {
        for _ in 0..MOST_TRIES {
            let standing = self.standing(&bearer)?;
            let created = bearer.user.created;
            let now = self.time.now();
            let seed = match initialize(&standing, created, self.policy.enrol_within, now) {
                Initialization::AlreadySeeded => return Ok((bearer, None)),
                Initialization::TooLate => {
                    let entry = self.entry(origin, Event::SeedShown, Outcome::Denied);
                    let entry = entry.by_user(&bearer.user).to_user(&bearer.user);
                    let why = "the time to enrol is over";
                    self.record(entry.because(why)).await?;
                    return Err(ServiceError::EnrolmentOver);
                }
                Initialization::ShowAgain(seed) => Seed::from_bytes(*seed.expose()),
                Initialization::ShowNew => {
                    let Some(seed) = self.propose_seed(&bearer, now, origin).await? else {
                        bearer = self.due(&bearer.token.hash).await?.totp()?;
                        continue;
                    };
                    seed
                }
            };
            return Ok((bearer, Some(seed)));
        }
        Err(ServiceError::contended())
    }

    async fn propose_seed(
        &self,
        bearer: &Bearer,
        now: Timestamp,
        origin: Origin,
    ) -> Result<Option<Seed>, ServiceError> {
        let seed = Seed::from_bytes(self.random.bytes::<SEED_LENGTH>());
        let id = SeedId::from_random(self.random.bytes());
        let place = SeedPlace::new(bearer.user.id, id, false);
        let proposed = ProposedSeed {
            user: bearer.user.id,
            revision: bearer.factor.revision,
            id,
            sealed: self
                .keyring
                .seal(seed.expose(), place.place(), &*self.random)?,
            shown_to: bearer.token.session,
            created: now,
        };
        let entry = self.entry(origin, Event::SeedShown, Outcome::Success);
        let entry = entry.by_user(&bearer.user).to_user(&bearer.user);
        let trail = [self.sign(entry)];
        Ok(match self.store.propose_seed(&proposed, &trail).await? {
            Swap::Done => {
                info!(subject.id = %bearer.user.id, "New seed shown");
                Some(seed)
            }
            Swap::Moved => None,
        })
    }
}
