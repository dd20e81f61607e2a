"""Operaton and Camunda 7, from Maven Central: the engine with its REST interface."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.servers.install import answers, apt, built, free_port, maven, run, running

USER = "demo"
PASSWORD = "d3mo pass"
BESIDE = (
    "com.h2database:h2:2.3.232",
    "org.postgresql:postgresql:42.7.7",
    "org.mariadb.jdbc:mariadb-java-client:3.5.5",
    "org.slf4j:slf4j-api:2.0.17",  # without it, Maven takes one that is too old for the starter
)


@dataclass(frozen=True)
class Engine:
    """One of the engines that share an interface."""

    name: str
    package: str
    version: str
    spring: str
    """The version of Spring Boot that it is made for."""

    @property
    def artifacts(self) -> tuple[str, ...]:
        """What it needs, as Maven Central calls it."""
        starter = f"{self.name}-bpm-spring-boot-starter-rest"
        return (
            f"{self.package}.springboot:{starter}:{self.version}",
            f"org.springframework.boot:spring-boot-starter-jdbc:{self.spring}",
            *BESIDE,
        )


OPERATON = Engine("operaton", "org.operaton.bpm", "1.0.3", "3.5.10")
CAMUNDA = Engine("camunda", "org.camunda.bpm", "7.24.0", "3.5.5")


@dataclass(frozen=True)
class Served:
    """A running engine."""

    engine: Engine
    address: str
    user: str = USER
    password: str = PASSWORD


@contextmanager
def serve(
    engine: Engine = OPERATON, *, database: str = "", settings: tuple[str, ...] = ()
) -> Iterator[Served]:
    """The engine on a free port, on `database` (a JDBC address with user) or one in memory.

    It asks for user and password, rights are checked, and the operations of people are logged.
    """
    jars, classes = _compiled(engine)
    port = free_port()
    with tempfile.TemporaryDirectory(prefix=f"{engine.name}-") as name:
        log = Path(name) / "engine.log"
        java = ["java", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
        java += [
            "-Duser.timezone=Europe/Berlin",
            "-cp",
            f"{classes}:{jars}/*",
            "server.ProcessEngineApp",
        ]
        command = [*java, *_settings(engine, port, database), *settings]
        with running(command, log=log, cwd=Path(name), ready=lambda: _is_ready(port)):
            yield Served(engine, f"http://127.0.0.1:{port}/engine-rest")


def _is_ready(port: int) -> bool:
    """Whether the interface answers, which is later than that the port is open."""
    if not answers(port):
        return False
    import httpx

    try:
        address = f"http://127.0.0.1:{port}/engine-rest/engine"
        return httpx.get(address, auth=(USER, PASSWORD), timeout=10).status_code == 200
    except httpx.TransportError:
        return False


def _settings(engine: Engine, port: int, database: str) -> list[str]:
    bpm = "operaton.bpm" if engine is OPERATON else "camunda.bpm"
    url = database or "jdbc:h2:mem:engine;DB_CLOSE_DELAY=-1"
    return [
        f"--server.port={port}",
        "--server.address=127.0.0.1",
        f"--spring.datasource.url={url}",
        "--spring.main.banner-mode=off",
        f"--package={engine.package}",
        f"--{bpm}.admin-user.id={USER}",
        f"--{bpm}.admin-user.password={PASSWORD}",
        f"--{bpm}.authorization.enabled=true",
        f"--{bpm}.history-level=full",
        f"--{bpm}.job-execution.wait-time-in-millis=200",
        f"--{bpm}.job-execution.max-wait=200",
        f"--{bpm}.job-execution.backoff-time-in-millis=20",
        f"--{bpm}.job-execution.max-backoff=100",
        f"--{bpm}.generic-properties.properties.historyTimeToLive=P180D",
    ]


def _compiled(engine: Engine) -> tuple[Path, Path]:
    """The folders with the jars of the engine and with the class that starts it."""
    jars = maven(f"{engine.name}-{engine.version}-rest", *engine.artifacts)
    if shutil.which("javac") is None:
        apt("openjdk-17-jdk-headless")

    def build(folder: Path) -> None:
        source = folder / "ProcessEngineApp.java"
        source.write_text(_APPLICATION, encoding="utf-8")
        run(["javac", "-cp", f"{jars}/*", "-d", folder, source])

    return jars, built(f"{engine.name}-{engine.version}-app", build)


# The starter asks nobody who they are; this application puts the engine's own filter before it.
_APPLICATION = """
package server;

import jakarta.servlet.Filter;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.boot.web.servlet.FilterRegistrationBean;
import org.springframework.context.annotation.Bean;
import org.springframework.core.env.Environment;

@SpringBootApplication
public class ProcessEngineApp {
    public static void main(String[] arguments) {
        SpringApplication.run(ProcessEngineApp.class, arguments);
    }

    @Bean
    public FilterRegistrationBean<Filter> authentication(Environment environment) throws Exception {
        String place = environment.getRequiredProperty("package") + ".engine.rest.security.auth.";
        Class<?> filter = Class.forName(place + "ProcessEngineAuthenticationFilter");
        FilterRegistrationBean<Filter> bean = new FilterRegistrationBean<>();
        bean.setFilter((Filter) filter.getDeclaredConstructor().newInstance());
        bean.addUrlPatterns("/engine-rest/*");
        bean.setAsyncSupported(true);
        bean.addInitParameter(
            "authentication-provider", place + "impl.HttpBasicAuthenticationProvider");
        return bean;
    }
}
"""
