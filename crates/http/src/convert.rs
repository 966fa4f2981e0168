//! From the domain to the wire.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use vestibule_engine::audit::Entry;
use vestibule_engine::identity::{LOCAL, LOCAL_CREATED};
use vestibule_engine::privilege::{Privilege, PrivilegeType, Privileges, Reach, Scope, Target};
use vestibule_engine::provider::{
    InputType, ProviderKind, RadiusMode, RadiusProtocol, RadiusSettings,
};
use vestibule_engine::subject::LOCAL_PROVIDER;
use vestibule_engine::{
    DistinguishedName, LocalProvider, MfaProvider, Role, Secret, Timestamp, User,
};
use vestibule_service::{
    AdminMfa, Authorized, ClaimMapping, Initialized, LOCAL_TYPE, NOT_OURS, SeedSummary, SignedIn,
    Started,
};
use vestibule_wire as wire;

use crate::Site;

pub(crate) const fn date_time(at: Timestamp) -> wire::DateTime {
    wire::DateTime::from_micros(at.as_micros())
}

pub(crate) fn hidden(secret: &Secret<String>) -> wire::Hidden {
    wire::Hidden::new(secret.expose().as_str())
}

/// From the custody of the wire to that of the domain, without a copy that is not wiped.
pub(crate) fn secret(hidden: wire::Hidden) -> Secret<String> {
    Secret::new(std::mem::take(&mut *hidden.into_inner()))
}

pub(crate) fn signed_in(signed_in: &SignedIn, site: &Site) -> wire::LoginResponse {
    let user = wire::LoginUser {
        name: signed_in.username.clone(),
        need_two_factor_auth: signed_in.second_factor_due,
        can_access_audit_logs: false,
        privileges: Vec::new(),
    };
    login_response(user, &signed_in.token, signed_in.session_expires, site)
}

pub(crate) fn authorized(authorized: &Authorized, site: &Site) -> wire::LoginResponse {
    let privileges = &authorized.privileges;
    let user = wire::LoginUser {
        name: authorized.username.clone(),
        need_two_factor_auth: false,
        can_access_audit_logs: can_access_audit_logs(privileges),
        privileges: privileges.iter().map(privilege).collect(),
    };
    login_response(user, &authorized.token, authorized.expires, site)
}

fn can_access_audit_logs(privileges: &Privileges) -> bool {
    privileges.reach(PrivilegeType::View, Target::AuditLog) != Reach::Nothing
}

fn login_response(
    user: wire::LoginUser,
    token: &Secret<String>,
    expires: Timestamp,
    site: &Site,
) -> wire::LoginResponse {
    wire::LoginResponse {
        user,
        token: hidden(token),
        expires: date_time(expires),
        message_of_the_day: site.message_of_the_day.clone(),
        ztp_collective_type: site.ztp_collective_type.clone(),
        ztp_account_type: site.ztp_account_type.clone(),
        crl_enabled: site.crl_enabled,
    }
}

fn privilege(privilege: &Privilege) -> wire::Privilege {
    wire::Privilege {
        kind: privilege.kind().as_str().to_owned(),
        target: privilege.target().as_str().to_owned(),
        scope: match privilege.scope() {
            Scope::All => wire::Scope {
                all: true,
                ..wire::Scope::default()
            },
            Scope::Some { ids, tags } => wire::Scope {
                all: false,
                ids: ids.iter().map(ToString::to_string).collect(),
                tags: tags.clone(),
            },
        },
        default_tags: privilege.default_tags().to_vec(),
        functions: privilege
            .functions()
            .iter()
            .map(|function| function.as_str().to_owned())
            .collect(),
    }
}

pub(crate) fn role(role: Role) -> wire::AdministrativeRole {
    wire::AdministrativeRole {
        id: role.id.to_string(),
        name: role.name,
        notes: role.notes,
        created: date_time(role.created),
        updated: date_time(role.updated),
        tags: role.tags,
        privileges: role.privileges.iter().map(privilege).collect(),
    }
}

pub(crate) fn started(started: &Started) -> wire::InitializeOtpResponse {
    let input_type = input_type(started.input_type);
    match &started.next {
        Initialized::AlreadySeeded => wire::InitializeOtpResponse::AlreadySeeded { input_type },
        Initialized::Secret(shown) => wire::InitializeOtpResponse::Secret {
            input_type,
            secret: hidden(&shown.secret),
            otp_auth_url: hidden(&shown.otpauth_url),
            barcode: hidden(&shown.barcode),
        },
        Initialized::Challenge {
            message,
            state,
            timeout,
        } => wire::InitializeOtpResponse::Challenge {
            input_type,
            response_message: message.clone(),
            state: state.map(|state| wire::Hidden::new(STANDARD.encode(state))),
            timeout: Some(whole_seconds(*timeout)),
        },
        Initialized::Push {
            timeout,
            send_password,
        } => wire::InitializeOtpResponse::Push {
            input_type,
            timeout: Some(whole_seconds(*timeout)),
            send_password: Some(*send_password),
        },
    }
}

fn whole_seconds(duration: Duration) -> u32 {
    u32::try_from(duration.as_secs()).unwrap_or(u32::MAX)
}

pub(crate) fn mfa_provider(provider: MfaProvider) -> wire::MfaProvider {
    wire::MfaProvider {
        id: provider.id.to_string(),
        name: provider.name,
        notes: provider.notes,
        created: date_time(provider.created),
        updated: date_time(provider.updated),
        tags: provider.tags,
        kind: match provider.kind {
            ProviderKind::TimeBased => wire::MfaProviderType::DefaultTimeBased,
            ProviderKind::Fido2 => wire::MfaProviderType::Fido2,
            ProviderKind::Radius(_) => wire::MfaProviderType::Radius,
        },
        input_type: input_type(provider.input_type),
        radius: match provider.kind {
            ProviderKind::TimeBased | ProviderKind::Fido2 => None,
            ProviderKind::Radius(settings) => Some(radius_settings(settings)),
        },
    }
}

pub(crate) const fn input_type(input_type: InputType) -> wire::InputType {
    match input_type {
        InputType::Masked => wire::InputType::Masked,
        InputType::Numeric => wire::InputType::Numeric,
        InputType::Text => wire::InputType::Text,
    }
}

fn radius_settings(settings: RadiusSettings) -> wire::RadiusSettings {
    wire::RadiusSettings {
        hostnames: settings.hostnames,
        port: settings.port,
        authentication_protocol: match settings.protocol {
            RadiusProtocol::Pap => wire::RadiusProtocol::Pap,
            RadiusProtocol::Chap => wire::RadiusProtocol::Chap,
        },
        timeout: settings.timeout.as_secs(),
        mode: match settings.mode {
            RadiusMode::OneFactor => wire::RadiusMode::OneFactor,
            RadiusMode::Challenge => wire::RadiusMode::Challenge,
            RadiusMode::Push => wire::RadiusMode::Push,
        },
        use_user_password: settings.use_user_password,
        require_message_authenticator: settings.require_message_authenticator,
        nas_identifier: settings.nas_identifier,
        source_address: settings.source_address.map(|address| address.to_string()),
        status_server: settings.status_server,
    }
}

pub(crate) fn identity_provider(provider: LocalProvider) -> wire::IdentityProvider {
    let claims = NOT_OURS.claim_mappings.iter();
    wire::IdentityProvider {
        id: LOCAL.to_string(),
        name: LOCAL_PROVIDER.to_owned(),
        notes: provider.notes,
        created: date_time(LOCAL_CREATED),
        updated: date_time(provider.updated),
        tags: provider.tags,
        kind: LOCAL_TYPE.to_owned(),
        admin_provider: true,
        user_lockout_threshold: provider.lockout.threshold(),
        user_lockout_duration_minutes: provider.lockout.minutes(),
        min_password_length: provider.min_password_length.characters(),
        device_limit_per_user: NOT_OURS.device_limit_per_user,
        inactivity_timeout_minutes: NOT_OURS.inactivity_timeout_minutes,
        network_inactivity_timeout_enabled: false,
        block_local_dns_requests: false,
        enforce_windows_network_profile_as_domain: false,
        ip_pool_v4: NOT_OURS.ip_pool_v4.to_string(),
        ip_pool_v6: NOT_OURS.ip_pool_v6.to_string(),
        claim_mappings: claims.map(claim_mapping).collect(),
    }
}

fn claim_mapping(claim: &ClaimMapping) -> wire::ClaimMapping {
    wire::ClaimMapping {
        attribute_name: claim.attribute.to_string(),
        claim_name: claim.claim.to_string(),
        list: claim.list,
        encrypt: claim.encrypt,
    }
}

pub(crate) fn admin_mfa(settings: AdminMfa) -> wire::AdminMfaSettings {
    wire::AdminMfaSettings {
        provider_id: settings.provider.map(|id| id.to_string()),
        exempted_users: settings.exempted.into_iter().map(|e| e.text).collect(),
    }
}

pub(crate) fn seed(seed: &SeedSummary) -> wire::OtpSeed {
    wire::OtpSeed {
        user_distinguished_name: DistinguishedName::local(&seed.user_name).to_string(),
        username: seed.user_name.to_string(),
        provider_name: LOCAL_PROVIDER.to_owned(),
        verified: seed.verified,
    }
}

pub(crate) fn local_user(user: User) -> wire::LocalUser {
    wire::LocalUser {
        id: user.id.to_string(),
        name: user.name.to_string(),
        notes: user.notes,
        created: date_time(user.created),
        updated: date_time(user.updated),
        tags: user.tags,
        first_name: user.first_name,
        last_name: user.last_name,
        email: user.email,
        phone: user.phone,
        disabled: user.disabled,
        failed_login_attempts: user.password_failures.count,
        lock_start: user.password_failures.lock_start.map(date_time),
        administrative_roles: user.roles.iter().map(ToString::to_string).collect(),
    }
}

/// A row of the audit trail, as the API shows it.
pub fn audit_event(entry: Entry) -> wire::AuditEvent {
    let details = entry.details();
    let details = details.map(|(word, value)| (word.to_owned(), value.to_owned()));
    wire::AuditEvent {
        id: entry.id.to_string(),
        time: wire::DateTime::from_micros(entry.at),
        details: details.collect(),
        event: entry.event,
        outcome: entry.outcome,
        actor_id: entry.actor_id.map(|id| id.to_string()),
        actor: entry.actor,
        object_type: entry.object_kind,
        object_id: entry.object_id,
        object: entry.object,
        address: entry.address,
        request_id: entry.request.to_string(),
        reason: entry.reason,
    }
}
