// Shows the interface of the replica that serves this page.
(async () => {
    const answer = await fetch("openapi.json");
    const spec = await answer.json();
    // The document names a replica of its reader's machine. What a person tries on this page goes to the page's own replica.
    spec.servers = [{ url: new URL(".", location.href).href.replace(/\/$/, "") }];
    SwaggerUIBundle({ spec, dom_id: "#interface", validatorUrl: null, docExpansion: "list", deepLinking: true });
})();
