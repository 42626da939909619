use afterhours::job;

#[job(alias = old::name)]
async fn path() {}

#[job(alias = ["a", ""])]
async fn empty() {}

#[job(alias = ["a", "b", "a"])]
async fn listed_twice() {}

#[job(name = "mail.send", alias = "mail.send")]
async fn own_name() {}

#[job(alias = [])]
async fn nothing() {}

#[job(aliases = ["a"])]
async fn plural() {}

fn main() {}
