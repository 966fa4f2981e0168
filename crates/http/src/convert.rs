//! From the domain to the wire.

use vestibule_engine::privilege::{Privilege, PrivilegeType, Privileges, Reach, Scope, Target};
use vestibule_engine::subject::LOCAL_PROVIDER;
use vestibule_engine::user::BUILTIN_TAG;
use vestibule_engine::{DistinguishedName, Secret, Timestamp, User};
use vestibule_service::{
    AdminMfa, Authorized, Initialized, MfaProvider, MfaProviderType, SeedSummary, SignedIn,
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
                tags: tags.iter().cloned().collect(),
            },
        },
        default_tags: privilege.default_tags().iter().cloned().collect(),
        functions: privilege
            .functions()
            .iter()
            .map(|function| function.as_str().to_owned())
            .collect(),
    }
}

pub(crate) fn initialized(initialized: &Initialized) -> wire::InitializeOtpResponse {
    let input_type = wire::InputType::Numeric;
    match initialized {
        Initialized::AlreadySeeded => wire::InitializeOtpResponse::AlreadySeeded { input_type },
        Initialized::Secret(shown) => wire::InitializeOtpResponse::Secret {
            input_type,
            secret: hidden(&shown.secret),
            otp_auth_url: hidden(&shown.otpauth_url),
            barcode: hidden(&shown.barcode),
        },
    }
}

pub(crate) fn mfa_provider(provider: MfaProvider) -> wire::MfaProvider {
    let (kind, input_type) = match provider.kind {
        MfaProviderType::DefaultTimeBased => ("DefaultTimeBased", wire::InputType::Numeric),
        MfaProviderType::Fido2 => ("Fido2", wire::InputType::Masked),
    };
    wire::MfaProvider {
        id: provider.id.to_string(),
        name: provider.name.to_owned(),
        notes: provider.notes.to_owned(),
        tags: vec![BUILTIN_TAG.to_owned()],
        kind: kind.to_owned(),
        input_type,
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
