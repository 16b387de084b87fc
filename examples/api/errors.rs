//! What goes wrong, as HTTP says it: a status, and a JSON body with a stable code and a sentence.

use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;
use workflow::EngineError;

/// Why a request was not carried out.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    /// The engine says no.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The body is not what it should be.
    #[error(transparent)]
    Body(#[from] JsonRejection),
    /// The query is not what it should be.
    #[error(transparent)]
    Query(#[from] QueryRejection),
    /// There is no such page.
    #[error("there is nothing here: see the table in examples/api/server.rs")]
    Route,
    /// There is no such action.
    #[error("there is no action `{0}`: it is one of pause, resume, terminate, restart")]
    Action(String),
}

impl ApiError {
    fn status(&self) -> StatusCode {
        let error = match self {
            Self::Engine(error) => error,
            Self::Action(_) | Self::Route => return StatusCode::NOT_FOUND,
            Self::Body(_) | Self::Query(_) => return StatusCode::BAD_REQUEST,
        };
        match error {
            // An instance of another workflow is none of the orders.
            EngineError::NotFound { .. } | EngineError::NoSuchRun { .. } | EngineError::WrongWorkflow { .. } => {
                StatusCode::NOT_FOUND
            }
            EngineError::AlreadyExists { .. } | EngineError::Refused { .. } | EngineError::Finished { .. } => {
                StatusCode::CONFLICT
            }
            EngineError::InvalidId(_)
            | EngineError::Option { .. }
            | EngineError::TooLong { .. }
            | EngineError::Input { .. }
            | EngineError::Payload { .. } => StatusCode::BAD_REQUEST,
            EngineError::MailboxFull { .. } => StatusCode::TOO_MANY_REQUESTS,
            // Worth trying again, with the same id.
            EngineError::NoAnswer { .. } | EngineError::Store(_) => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    const fn code(&self) -> &'static str {
        match self {
            Self::Engine(error) => error.code(),
            Self::Body(_) => "body",
            Self::Query(_) => "query",
            Self::Action(_) => "action",
            Self::Route => "route",
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = json!({ "error": { "code": self.code(), "message": self.to_string() } });
        (self.status(), Json(body)).into_response()
    }
}
