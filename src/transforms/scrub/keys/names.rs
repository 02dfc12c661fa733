//! The names that are looked for.

/// The names that stand for secrets and personal data wherever they occur.
#[rustfmt::skip]
pub const DEFAULT_NAMES: &[&str] = &[
    // Passwords
    "password", "passwd", "passphrase", "passcode", "pass", "pwd", "pin", "otp", "user_password", "db_password",
    "password_confirmation", "password_confirm", "password_repeat", "пароль", "пароль_пользователя",
    // Tokens and keys
    "secret", "client_secret", "app_secret", "secret_key", "secret_access_key", "aws_secret_access_key", "token",
    "access_token", "refresh_token", "id_token", "auth_token", "api_token", "bearer_token", "session_token",
    "csrf_token", "xsrf_token", "jwt", "api_key", "x_api_key", "access_key", "private_key", "signing_key",
    "encryption_key", "credential", "credentials", "connection_string", "секрет", "токен", "токен_доступа", "ключ_доступа",
    // Headers, also as semantic conventions name them
    "authorization", "proxy_authorization", "authorization_header", "x_auth_token", "cookie", "set_cookie",
    "http.request.header.authorization", "http.request.header.cookie", "http.response.header.set_cookie",
    // Cards
    "card", "card_number", "card_no", "карта", "номер_карты", "pan", "credit_card", "credit_card_number", "cc_number", "cvv", "cvv2", "cvc", "cvc2",
    "card_cvv", "card_cvc", "security_code",
    // Persons
    "email", "email_address", "user_email", "customer_email", "phone", "phone_number", "user_phone", "customer_phone",
    "mobile", "mobile_phone", "mobile_number", "msisdn", "telephone", "tel", "телефон", "date_of_birth", "birth_date",
    "dob", "ssn", "social_security_number", "passport", "passport_number", "паспорт", "snils", "снилс", "inn", "инн",
    "tax_id",
];

/// The names that stand for secrets alone: no person, no card.
#[rustfmt::skip]
pub const SECRET_NAMES: &[&str] = &[
    "password", "passwd", "passphrase", "passcode", "pass", "pwd", "otp", "user_password", "db_password",
    "password_confirmation", "password_confirm", "password_repeat", "пароль", "пароль_пользователя", "connection_string",
    "секрет", "токен", "токен_доступа", "ключ_доступа", "secret", "client_secret", "app_secret", "secret_key", "secret_access_key", "aws_secret_access_key",
    "token", "access_token", "refresh_token", "id_token", "auth_token", "api_token", "bearer_token", "session_token",
    "csrf_token", "xsrf_token", "jwt", "api_key", "x_api_key", "access_key", "private_key", "signing_key",
    "encryption_key", "credential", "credentials", "authorization", "proxy_authorization",
    "authorization_header", "x_auth_token", "cookie", "set_cookie", "http.request.header.authorization", "http.request.header.cookie",
    "http.response.header.set_cookie",
];

/// More names of Russian systems, in both alphabets.
#[rustfmt::skip]
pub const RUSSIAN_NAMES: &[&str] = &[
    "токен", "секрет", "ключ_доступа", "логин_пароль", "почта", "электронная_почта", "эл_почта", "емейл",
    "номер_телефона", "мобильный", "мобильный_телефон", "номер_карты", "банковская_карта", "карта", "срок_карты",
    "серия_паспорта", "номер_паспорта", "паспортные_данные", "дата_рождения", "огрн", "огрнип", "ogrn", "ogrnip",
    "фамилия", "имя", "отчество", "фио", "fio", "адрес", "адрес_регистрации", "passport_series", "passport_no",
    "passport_serial", "inn_fl", "inn_ul",
];

/// Names of what identifies a person less sharply: for the profile `strict`.
#[rustfmt::skip]
pub const PERSON_NAMES: &[&str] = &[
    "first_name", "last_name", "middle_name", "full_name", "surname", "patronymic", "given_name", "family_name",
    "customer_name", "user_name", "username", "login", "nickname", "address", "street", "street_address",
    "postal_address", "home_address", "delivery_address", "billing_address", "shipping_address", "postal_code",
    "postcode", "zip", "zip_code", "iban", "bic", "account_number", "bank_account", "routing_number", "ip",
    "ip_address", "client_ip", "remote_addr", "remote_address", "remote_ip", "x_forwarded_for", "x_real_ip",
    "client.address", "user_agent", "device_id", "imei", "imsi", "mac", "mac_address", "latitude", "longitude",
    "gender", "nationality", "driver_license", "license_plate", "vin",
];

/// Headers that authorise: a scheme stands before what proves.
pub(in super::super) const HEADER_NAMES: &[&str] = &[
    "authorization",
    "proxy_authorization",
    "x_authorization",
    "authorization_header",
    "http.request.header.authorization",
];

/// Query parameters that are secret, beside the key names.
pub(in super::super) const QUERY_NAMES: &[&str] = &[
    "sig",
    "signature",
    "key",
    "auth",
    "code",
    "hmac",
    "sign",
    "session",
    "sid",
    "session_id",
    "ticket",
    "x_amz_signature",
    "x_amz_credential",
    "x_amz_security_token",
    "x_goog_signature",
    "x_goog_credential",
    "awsaccesskeyid",
    "sas",
    "assertion",
    "client_assertion",
    "code_verifier",
    "nonce",
    "state_token",
    "oauth_token",
    "oauth_signature",
    "refresh",
    "pass",
    "passwd",
    "pwd",
    "login_hint",
];
