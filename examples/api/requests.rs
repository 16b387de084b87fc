//! What each request does: as good as nothing but to call the engine.

use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use workflow::{EngineError, History, Listing, Status};

use crate::Api;
use crate::errors::ApiError;
use crate::order::{Order, Receipt, order};

type Answer<T> = Result<Json<T>, ApiError>;

/// An order, and the id that makes it one order however often it is sent.
#[derive(Debug, Deserialize)]
pub(crate) struct NewOrder {
    id: String,
    #[serde(flatten)]
    order: Order,
}

/// 201 when the order is new, 200 when it was there.
pub(crate) async fn create(
    State(api): State<Api>,
    body: Result<Json<NewOrder>, JsonRejection>,
) -> Result<Response, ApiError> {
    let Json(NewOrder { id, order: input }) = body?;
    let (code, instance) = match order::create(&api.engine, input).id(&id).await {
        Ok(instance) => (StatusCode::CREATED, instance),
        Err(EngineError::AlreadyExists { .. }) => (StatusCode::OK, order::get(&api.engine, id).await?),
        Err(error) => return Err(error.into()),
    };
    Ok((code, Json(json!({ "id": instance.id() }))).into_response())
}

/// Which orders are listed. The page is `next` of the page before.
#[derive(Debug, Deserialize)]
pub(crate) struct Wanted {
    state: Option<workflow::State>,
    page: Option<String>,
    limit: Option<usize>,
}

pub(crate) async fn list(State(api): State<Api>, query: Result<Query<Wanted>, QueryRejection>) -> Answer<Listing> {
    let Query(Wanted { state, page, limit }) = query?;
    let mut list = api.engine.list().of::<order>().limit(limit.unwrap_or(20));
    if let Some(state) = state {
        list = list.state(state);
    }
    if let Some(page) = page {
        list = list.after(page.parse()?);
    }
    Ok(Json(list.await?))
}

pub(crate) async fn status(State(api): State<Api>, Path(id): Path<String>) -> Answer<Status<Receipt>> {
    Ok(Json(order::get(&api.engine, id).await?.status().await?))
}

pub(crate) async fn history(State(api): State<Api>, Path(id): Path<String>) -> Answer<History> {
    Ok(Json(order::get(&api.engine, id).await?.history().await?))
}

/// An event. With an id it can be sent again and is taken once.
#[derive(Debug, Deserialize)]
pub(crate) struct NewEvent {
    #[serde(rename = "type")]
    event_type: String,
    key: Option<String>,
    id: Option<String>,
    #[serde(default)]
    payload: Value,
}

/// 202: the event is kept; the order takes it when it comes to the wait for it.
pub(crate) async fn send_event(
    State(api): State<Api>,
    Path(id): Path<String>,
    body: Result<Json<NewEvent>, JsonRejection>,
) -> Result<StatusCode, ApiError> {
    let Json(event) = body?;
    let mut sent = order::get(&api.engine, id).await?.send_type(&event.event_type, event.payload);
    if let Some(key) = event.key {
        sent = sent.key(key);
    }
    if let Some(id) = event.id {
        sent = sent.id(id);
    }
    sent.await?;
    Ok(StatusCode::ACCEPTED)
}

pub(crate) async fn control(State(api): State<Api>, Path((id, action)): Path<(String, String)>) -> Answer<Value> {
    let instance = order::get(&api.engine, id).await?;
    let state = match action.as_str() {
        "pause" => instance.pause().await?,
        "resume" => instance.resume().await?,
        "terminate" => instance.terminate("asked for by the API").await?,
        "restart" => instance.restart().await?,
        _ => return Err(ApiError::Action(action)),
    };
    Ok(Json(json!({ "id": instance.id(), "state": state })))
}
