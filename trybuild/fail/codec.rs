use afterhours::job;

#[job(codec = "jsn")]
async fn misspelt() {}

#[job(codec = "bincode")]
async fn unheard_of() {}

#[job(codec = json)]
async fn without_quotes() {}

fn main() {}
