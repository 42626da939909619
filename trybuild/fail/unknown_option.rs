use afterhours::job;

#[job(quue = "mail", timeout = 30)]
async fn misspelt() {}

#[job(urgent = true)]
async fn unheard_of() {}

fn main() {}
