//! Operations: deployments, backups, certificates, jobs on other machines.

mod backup;
mod canary;
mod certificate;
mod external_job;
mod incident;
mod pipeline;
