//! One question to the servers of a provider, and what came of it.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use tracing::{Instrument as _, debug, debug_span, warn};
use vestibule_engine::provider::{RadiusMode, RadiusProtocol, RadiusSettings};
use vestibule_engine::radius::{Question, RadiusState, Reply};
use vestibule_engine::{FieldErrors, PushOutcome, Secret, User};
use vestibule_radius::udp::{
    EndpointStatus, Exchange, ExchangeError, Plan, ServerSettings, Servers,
};
use vestibule_radius::{
    AccessRequest, CallingStationId, Credential, NasIdentifier, Password, SharedSecret, State,
    UserName, Verdict,
};
use vestibule_store::StoredProvider;

use crate::providers::open_secrets;
use crate::{ClientAddress, Inner, ServiceError, TRACE};

/// What this product calls itself, unless the provider says otherwise (RFC 2865 section 5.32).
pub(crate) const NAS_IDENTIFIER: &str = "Vestibule";

/// A provider whose servers can be asked.
pub(crate) struct RadiusProvider {
    settings: RadiusSettings,
    servers: Servers,
    challenge_secret: Option<Secret<Vec<u8>>>,
}

impl RadiusProvider {
    pub(crate) const fn settings(&self) -> &RadiusSettings {
        &self.settings
    }

    /// Its servers, as they are now.
    pub(crate) fn status(&self) -> Vec<EndpointStatus> {
        self.servers.status()
    }

    /// Whether its servers can be made to ask without anything from the user.
    pub(super) fn opens_by_itself(&self) -> bool {
        self.settings.mode == RadiusMode::Challenge && !self.settings.use_user_password
    }

    /// The secret that goes where a password goes, when no user has typed one.
    pub(super) fn challenge_secret(&self) -> Result<Password, ServiceError> {
        let secret = self.challenge_secret.as_ref().ok_or_else(|| {
            ServiceError::bug("a RADIUS provider cannot be used", "no challenge secret")
        })?;
        Password::from_octets(secret.expose().clone())
            .map_err(|error| ServiceError::bug("a RADIUS provider cannot be used", error))
    }

    /// The request that carries a password for a user; equal in all rounds but for password and
    /// State.
    pub(super) fn request(
        &self,
        user: &User,
        client: ClientAddress,
        password: Password,
    ) -> Result<AccessRequest, ServiceError> {
        let user_name = UserName::new(user.name.as_str()).map_err(|_| {
            FieldErrors::one(
                "otp",
                "cannot be sent: the user's name is too long for RADIUS",
            )
        })?;
        let nas_identifier = self.settings.nas_identifier.as_deref();
        let nas_identifier = NasIdentifier::new(nas_identifier.unwrap_or(NAS_IDENTIFIER))
            .map_err(|error| ServiceError::bug("a RADIUS provider cannot be used", error))?;
        let address = match client {
            ClientAddress::Local => Some(Ipv4Addr::LOCALHOST.into()),
            ClientAddress::Known(address) => Some(address),
            ClientAddress::Unknown => None,
        };
        Ok(AccessRequest {
            user_name,
            credential: match self.settings.protocol {
                RadiusProtocol::Pap => Credential::Pap(password),
                RadiusProtocol::Chap => Credential::Chap(password),
            },
            state: None,
            nas_identifier,
            nas_ip: None,
            calling_station_id: address
                .and_then(|address| CallingStationId::new(&address.to_string()).ok()),
        })
    }

    /// Asks, and waits for the answer to a question that is answered at once.
    pub(super) async fn ask(&self, mut request: AccessRequest, question: &Question) -> Answered {
        request.state = match question.state.as_ref().map(RadiusState::octets) {
            None => None,
            Some(octets) => match State::new(octets) {
                Ok(state) => Some(state),
                Err(error) => {
                    warn!(%error, "The State of a RADIUS server cannot be sent back");
                    return Answered::silent(&error);
                }
            },
        };
        let plan = Plan::Short {
            timeout: self.settings.timeout,
            pinned: question.server,
        };
        reply(self.exchange(&request, plan).await)
    }

    fn exchange<'a>(
        &'a self,
        request: &'a AccessRequest,
        plan: Plan,
    ) -> impl Future<Output = Result<Exchange, ExchangeError>> + Send + 'a {
        let span = debug_span!(target: TRACE, "radius exchange");
        self.servers.exchange(request, plan).instrument(span)
    }

    /// Asks, and waits until somebody has approved.
    pub(super) async fn ask_and_wait(&self, request: &AccessRequest) -> PushOutcome {
        let plan = Plan::Push {
            timeout: self.settings.timeout,
        };
        match reply(self.exchange(request, plan).await).reply {
            Reply::Accepted => PushOutcome::Accepted,
            Reply::Rejected => PushOutcome::Denied,
            Reply::Challenged { .. } => PushOutcome::Challenged,
            Reply::Silent => PushOutcome::Unavailable,
        }
    }
}

/// What came of a question, and what is written down of it.
pub(crate) struct Answered {
    pub(crate) reply: Reply,
    pub(crate) heard: Heard,
}

/// What is written down of an answer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Heard {
    /// Who answered.
    pub(crate) server: Option<SocketAddr>,
    /// What, or why nobody did.
    pub(crate) what: String,
    /// In its own words.
    pub(crate) message: Option<String>,
}

impl Answered {
    pub(super) fn silent(why: &impl ToString) -> Self {
        Self {
            reply: Reply::Silent,
            heard: Heard {
                what: why.to_string(),
                ..Heard::default()
            },
        }
    }
}

fn reply(outcome: Result<Exchange, ExchangeError>) -> Answered {
    let Exchange { reply, server } = match outcome {
        Ok(exchange) => exchange,
        Err(error) => {
            warn!(%error, "No answer from a RADIUS server");
            return Answered::silent(&error);
        }
    };
    debug!(%server, "A RADIUS server answered");
    let what = match reply.verdict {
        Verdict::Accept => "Access-Accept",
        Verdict::Reject => "Access-Reject",
        Verdict::Challenge { .. } => "Access-Challenge",
    };
    let heard = Heard {
        server: Some(server),
        what: what.to_owned(),
        message: reply.message.clone(),
    };
    let reply = match reply.verdict {
        Verdict::Accept => Reply::Accepted,
        Verdict::Reject => Reply::Rejected,
        Verdict::Challenge { state } => Reply::Challenged {
            server,
            state: state.map(|state| RadiusState::new(state.as_octets().to_vec())),
            message: reply.message.unwrap_or_default(),
            answer_within: reply.session_timeout,
        },
    };
    Answered { reply, heard }
}

impl Inner {
    /// Makes a provider ready: its servers are resolved from here on.
    pub(crate) fn radius_provider(
        &self,
        stored: &StoredProvider,
    ) -> Result<RadiusProvider, ServiceError> {
        let opened = open_secrets(self, stored)?;
        let secret = SharedSecret::new(opened.shared_secret.expose().clone())
            .map_err(|error| ServiceError::bug("a RADIUS provider cannot be used", error))?;
        if !opened.settings.require_message_authenticator {
            warn!(provider.id = %stored.provider.id,
                "Answers of this RADIUS provider need no Message-Authenticator: whoever sits on the \
                 way to its servers can let anybody in (CVE-2024-3596)");
        }
        Ok(RadiusProvider {
            servers: self
                .radius
                .servers(server_settings(&opened.settings, secret)),
            settings: opened.settings,
            challenge_secret: opened.challenge_secret,
        })
    }
}

/// The servers of a provider, as the RADIUS client knows them.
pub(crate) fn server_settings(settings: &RadiusSettings, secret: SharedSecret) -> ServerSettings {
    ServerSettings {
        hostnames: settings.hostnames.clone(),
        port: settings.port,
        secret: Arc::new(secret),
        require_message_authenticator: settings.require_message_authenticator,
        status_server: settings.status_server,
        source_address: settings.source_address,
        nas_identifier: settings
            .nas_identifier
            .clone()
            .unwrap_or_else(|| NAS_IDENTIFIER.to_owned()),
    }
}
